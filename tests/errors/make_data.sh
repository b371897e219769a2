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
# A number in protobuf's variable length, up to 2^63.
varint() {
  local rest=$1
  while [ "$rest" -gt 127 ]; do
    printf '%02x' $((rest & 127 | 128))
    rest=$((rest >> 7))
  done
  printf '%02x' "$rest"
}
# A length-delimited protobuf field: tag byte and content, both in hex.
field() { printf '%s%s%s' "$1" "$(varint $((${#2} / 2)))" "$2"; }

# onnx_value NAME DIM...: a float tensor; a DIM that is not a number is a symbol. $ONNX_TYPE: of another type.
onnx_value() {
  local dims= dim name=$1
  shift
  for dim in "$@"; do
    case $dim in
      *[!0-9]*) dims+=$(field 0a "$(field 12 "$(hex_text "$dim")")") ;;
      *) dims+=$(field 0a "08$(varint "$dim")") ;;
    esac
  done
  printf '%s%s' "$(field 0a "$(hex_text "$name")")" "$(field 12 "$(field 0a "08$(varint "${ONNX_TYPE:-1}")$(field 12 "$dims")")")"
}

# onnx_node OP NAME INPUTS OUTPUT [ATTRIBUTES]: inputs with commas between them; attributes in hex.
onnx_node() {
  local inputs= input
  for input in ${3//,/ }; do inputs+=$(field 0a "$(hex_text "$input")"); done
  field 0a "$inputs$(field 12 "$(hex_text "$4")")$(field 1a "$(hex_text "$2")")$(field 22 "$(hex_text "$1")")${5:-}"
}
# onnx_constant NAME TYPE HEX DIM...: TYPE is ONNX's number (1 float, 2 uint8, 3 int8, 7 int64); HEX its bytes.
onnx_constant() {
  local name=$1 type=$2 bytes=$3 dims= dim
  shift 3
  for dim in "$@"; do dims+=08$(varint "$dim"); done
  field 2a "${dims}10$(varint "$type")$(field 42 "$(hex_text "$name")")$(field 4a "$bytes")"
}
# onnx_file PARTS DIM...: nodes and constants, in hex, on the input x of these extents; the output is y.
onnx_file() {
  local parts=$1
  shift
  from_hex "0808$(field 42 "0a0010${ONNX_OPSET:-0d}")$(field 3a "$parts$(field 12 67)$(field 5a "$(onnx_value x "$@")")$(field 62 "$(onnx_value y "$@")")")"
}
# onnx_model "OP NAME INPUT OUTPUT;..." DIM...: the same from nodes of one input each.
onnx_model() {
  local nodes= op name input output list=$1
  shift
  while read -r op name input output; do
    [ -n "$op" ] || continue
    nodes+=$(onnx_node "$op" "$name" "$input" "$output")
  done <<<"${list//;/$'\n'}"
  onnx_file "$nodes" "$@"
}

# Numbers in little endian: le32 NUMBER...
le32() {
  local number
  for number in "$@"; do printf '%02x%02x%02x%02x' $((number & 255)) $((number >> 8 & 255)) $((number >> 16 & 255)) $((number >> 24 & 255)); done
}
# bmp HEIGHT WIDTH: a black image.
bmp() {
  local bytes=$(($1 * (($2 * 3 + 3) / 4 * 4)))
  from_hex "424d$(le32 $((54 + bytes)) 0 54 40 "$2" "$1")01001800$(le32 0 "$bytes" 2835 2835 0 0)"
  head -c "$bytes" /dev/zero
}
# wav SAMPLES: silence, 16 bits, one channel.
wav() {
  from_hex "52494646$(le32 $((36 + 2 * $1)))57415645666d7420$(le32 16)01000100$(le32 16000 32000)02001000"
  from_hex "64617461$(le32 $((2 * $1)))"
  head -c $((2 * $1)) /dev/zero
}

# The shipped example as an int8 model: quantized_example OUT.nibble
quantized_example() {
  nibble quantize "$EXAMPLE/kws.onnx" --calibration "$EXAMPLE/calibration.npz" --samples 2 -o "$1" >/dev/null
}

# A .nibble file without constants from the graph's text on stdin. gzip computes the same CRC.
nibble_file() {
  local text bytes
  text=$(cat)$'\n'
  bytes=${#text}
  { from_hex "$(le32 "$bytes" 0 0 0)"; printf '%s' "$text"; } >.body
  from_hex "894e4942424c450a$(le32 1)"
  gzip -c .body | tail -c 8 | head -c 4
  cat .body
  rm .body
}

# make_target NAME FLASH_KB RAM_KB: a target file on the emulated Cortex-M4.
make_target() {
  cat <<EOF
name = "$1"
title = "$1"
vendor = "nobody"
core = "cortex-m4"
isa = ["dsp"]
fpu = "single"
toolchain = "arm-none-eabi"
flags = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
machine = "mps2-an386"
port = "cortex_m"
clock_mhz = 25
[[memory]]
name = "flash"
kind = "flash"
size_kb = $2
[[memory]]
name = "sram"
kind = "ram"
size_kb = $3
[sources]
core = { confidence = "low", source = "invented" }
clock = { confidence = "low", source = "invented" }
"memory.flash" = { confidence = "low", source = "invented" }
"memory.sram" = { confidence = "low", source = "invented" }
EOF
}
