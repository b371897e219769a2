# The front door. Every target installs what it needs (tools/setup) and builds what it runs.
#
#   make demo    deploy the shipped keyword spotter to an emulated Cortex-M4 and show what it costs
#   make test    all tests (those on real models run where ../shared is)
#   make check   format, includes, warnings with Clang, sanitizers, bounded fuzzing: all that CI runs beside the tests
#   make bench   instructions, flash and RAM of the benchmark models, beside the recorded peer
#   make build   the program at build/nibble

JOBS ?= $(shell nproc)
BUILD := build
EXAMPLE := examples/keyword_spotting

.PHONY: build demo test check bench format clean install

build:
	@tools/setup build
	@[ -f $(BUILD)/CMakeCache.txt ] || { mkdir -p $(BUILD); cmake --preset release -DNIBBLE_TESTS=OFF >$(BUILD)/configure.log || { cat $(BUILD)/configure.log; exit 1; }; }
	@cmake --build $(BUILD) -j $(JOBS) --target nibble

demo:
	@tools/setup demo
	@$(MAKE) --no-print-directory build
	$(BUILD)/nibble deploy $(EXAMPLE)/kws.onnx --calibration $(EXAMPLE)/calibration.npz \
	  --data $(EXAMPLE)/test.npz --target mps2-an386 -o out/keyword_spotting

test:
	@tools/setup test
	@cmake --preset release -DNIBBLE_TESTS=ON
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS); status=$$?; \
	  grep -ho 'left out: .*' $(BUILD)/Testing/Temporary/LastTest.log | sort | uniq -c; exit $$status

check:
	@tools/setup check
	tools/check

bench:
	@tools/setup test
	@$(MAKE) --no-print-directory build
	@cmake --preset release -DNIBBLE_BENCHES=ON >/dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target nibble_cost_table nibble_accuracy_table
	$(BUILD)/bench/nibble_cost_table --layers
	$(BUILD)/bench/nibble_accuracy_table

format:
	tools/format

install: build
	cmake --install $(BUILD)

clean:
	rm -rf $(BUILD) out
