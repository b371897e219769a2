# Small files for the error cases, made from nothing but bash.

# Bytes from a hex string.
from_hex() {
  local hex=$1 escaped=
  while [ -n "$hex" ]; do
    escaped+="\\x${hex:0:2}"
    hex=${hex:2}
  done
  printf '%b' "$escaped"
}

# npy DESCR SHAPE BYTES: an array of zeros in NumPy's format, e.g. npy '<f4' '2, 3' 24
npy() {
  local header="{'descr': '$1', 'fortran_order': False, 'shape': ($2), }" pad
  pad=$(((64 - (10 + ${#header} + 1) % 64) % 64))
  header+=$(printf '%*s' "$pad" '')
  from_hex "934e554d50590100$(printf '%02x%02x' $(((${#header} + 1) & 255)) $(((${#header} + 1) >> 8)))"
  printf '%s\n' "$header"
  head -c "$3" /dev/zero
}

hex_text() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
# A length-delimited protobuf field: tag byte and content, both in hex; content under 128 bytes.
field() { printf '%s%02x%s' "$1" $((${#2} / 2)) "$2"; }

# onnx_value NAME DIM...: a float tensor; a DIM that is not a number is a symbol.
onnx_value() {
  local dims= dim name=$1
  shift
  for dim in "$@"; do
    case $dim in
      *[!0-9]*) dims+=$(field 0a "$(field 12 "$(hex_text "$dim")")") ;;
      *) dims+=$(field 0a "08$(printf '%02x' "$dim")") ;;
    esac
  done
  printf '%s%s' "$(field 0a "$(hex_text "$name")")" "$(field 12 "$(field 0a "0801$(field 12 "$dims")")")"
}

# onnx_model "OP NAME INPUT OUTPUT;..." DIM...: nodes on the input x of these extents; the output is y.
onnx_model() {
  local nodes= op name input output list=$1
  shift
  while read -r op name input output; do
    [ -n "$op" ] || continue
    nodes+=$(field 0a "$(field 0a "$(hex_text "$input")")$(field 12 "$(hex_text "$output")")$(field 1a "$(hex_text "$name")")$(field 22 "$(hex_text "$op")")")
  done <<<"${list//;/$'\n'}"
  from_hex "0808$(field 42 0a00100d)$(field 3a "${nodes}$(field 12 67)$(field 5a "$(onnx_value x "$@")")$(field 62 "$(onnx_value y "$@")")")"
}

# make_target NAME FLASH_KB RAM_KB: a target file on the emulated Cortex-M4.
make_target() {
  cat <<EOF
name = "$1"
title = "$1"
vendor = "nobody"
core = "cortex-m4"
isa = ["dsp"]
toolchain = "arm-none-eabi"
flags = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
machine = "mps2-an386"
port = "cortex_m"
clock_mhz = 25
[memory]
flash_kb = $2
ram_kb = $3
[sources]
core = "invented"
clock = "invented"
memory = "invented"
EOF
}
