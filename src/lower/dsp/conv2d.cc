// conv2d_s8, and dense_s8 of several rows, on cores with 16-bit multiply-accumulate pairs (SMLAD):
// the forms that a layer may take, their packed streams and what they cost. conv2d_text.h describes
// the kernel, kernels/conv2d/conv2d_s8_pairs.h the stream.
#include <algorithm>

#include "conv2d/conv2d_s8_pairs.h"
#include "lower/dsp/conv2d_text.h"
#include "lower/dsp/timing.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

struct ConvLayer {
  int batches = 1, in_h = 1, in_w = 1, in_c = 1, out_h = 1, out_w = 1, out_c = 1;
  int k_h = 1, k_w = 1, stride_h = 1, stride_w = 1, pad_top = 0, pad_left = 0, in_zero = 0;
  std::span<const int8_t> filter;
  std::span<const int32_t> bias;

  int first_row(int oy) const { return oy * stride_h - pad_top; }
  int rows_inside(int oy) const {
    return std::min(k_h, in_h - first_row(oy)) - std::max(0, -first_row(oy));
  }
  bool vertical() const { return pad_top > 0 || first_row(out_h - 1) + k_h > in_h; }
  bool horizontal() const { return pad_left > 0 || (out_w - 1) * stride_w + k_w > in_w; }
  bool flat() const { return k_h * k_w * stride_h * stride_w == 1 && !vertical() && !horizontal(); }
  int pairs() const { return (out_c + 1) / 2; }
};

// A form of a layer: the text and what the stream's header says beside the layer's extents.
struct ConvForm {
  ConvText text;
  int run_len = 0;
  int run_words() const { return nibble_run_words(run_len, text.entry); }
};

// Channels a and b = a + 1 of the stream.
void pack_weights(const ConvLayer& layer, const ConvForm& form, int a,
                  std::vector<uint8_t>& stream) {
  const ConvText& text = form.text;
  auto weight = [&](int channel, int ky, int kx, int tap) -> uint32_t {
    if (channel >= layer.out_c || tap >= form.run_len) return 0;
    int index = ((channel * layer.k_h + ky) * layer.k_w + kx) * layer.in_c + tap;
    return static_cast<uint32_t>(int32_t{layer.filter[static_cast<size_t>(index)]});
  };
  for (int ky = 0; ky < layer.k_h; ++ky)
    for (int word = 0; word < form.run_words(); ++word)
      for (int phase = 0; phase < text.phases(); ++phase)
        for (int i = 0; i < text.phase_taps(phase); ++i) {
          uint32_t lanes[2], lanes_b[2];
          for (int lane = 0; lane < 2; ++lane) {
            int kx = phase + i * text.stride_w;
            int tap = nibble_run_tap(word, lane, form.run_len, text.entry);
            uint32_t of_a = weight(a, ky, kx, tap), of_b = weight(a + 1, ky, kx, tap);
            lanes[lane] = (text.wide ? of_a : 256 * of_b + of_a + 128) & 0xffff;
            lanes_b[lane] = of_b & 0xffff;
          }
          put_word(stream, lanes[0] | lanes[1] << 16);
          if (text.wide) put_word(stream, lanes_b[0] | lanes_b[1] << 16);
        }
}

// Of channels a and a + 1: 1 if they are the last ones, 2 if there is a channel a + 1.
int pair_flags(const ConvLayer& layer, int a) {
  return (a + 2 >= layer.out_c ? 1 : 0) | (a + 1 < layer.out_c ? 2 : 0);
}

std::vector<uint8_t> pack(const ConvLayer& layer, const ConvForm& form, const OutputStage& stage) {
  std::vector<uint8_t> pairs;
  auto start = [&](int channel) -> uint32_t {
    if (channel >= layer.out_c) return 0;
    auto index = static_cast<size_t>(channel);
    return static_cast<uint32_t>(stage.start(index) + (layer.bias.empty() ? 0 : layer.bias[index]));
  };
  for (int a = 0; a < layer.out_c; a += 2) {
    put_word(pairs, start(a) + (form.text.wide ? 0 : 256 * start(a + 1)));
    put_word(pairs, start(a + 1));
    pack_weights(layer, form, a, pairs);
    auto first = static_cast<size_t>(a);
    size_t second = a + 1 < layer.out_c ? first + 1 : first;
    put_word(pairs, stage.doubled(first));
    put_word(pairs, stage.doubled(second));
    if (stage.is_linear()) {
      put_word(pairs, stage.shift(first));  // with the flags
      put_word(pairs, stage.shift(second));
    } else {
      auto flags = static_cast<uint32_t>(pair_flags(layer, a));
      put_word(pairs, stage.shift(first) | stage.shift(second) << 8 | flags << 30);
    }
  }
  auto lanes = static_cast<uint32_t>(-layer.in_zero) & 0xffff;
  std::vector<int64_t> header(NIBBLE_CONV2D_FIELDS);
  size_t fields = form.text.flat ? NIBBLE_CONV2D_FLAT_FIELDS : NIBBLE_CONV2D_FIELDS;
  const ConvText& text = form.text;
  int units = layer.k_h * form.run_words();
  int loop_units = text.entry ? units : units / text.unroll * text.unroll;
  int quads = (form.run_len + 3) / 4;
  header[NIBBLE_CONV2D_IN_ZERO] = lanes | lanes << 16;
  header[NIBBLE_CONV2D_IN_C] = layer.in_c;
  header[NIBBLE_CONV2D_OUT_W] = layer.out_w;
  header[NIBBLE_CONV2D_OUT_C] = layer.out_c;
  header[NIBBLE_CONV2D_ADDEND] = stage.addend();
  header[NIBBLE_CONV2D_LOOP_BYTES] = loop_units * text.column_step_bytes();
  header[NIBBLE_CONV2D_RUN_QUADS] = text.entry ? quads - 1 : form.run_len / 4;
  header[NIBBLE_CONV2D_ENTRY] = (text.unroll - units % text.unroll) % text.unroll / 2;
  header[NIBBLE_CONV2D_QUAD_STEP] = form.run_len - 4 * (quads - 1);
  header[NIBBLE_CONV2D_ROW_BYTES] = layer.in_w * layer.in_c;
  header[NIBBLE_CONV2D_IN_H] = layer.in_h;
  header[NIBBLE_CONV2D_IN_W] = layer.in_w;
  header[NIBBLE_CONV2D_K_H] = layer.k_h;
  header[NIBBLE_CONV2D_STRIDE_H] = layer.stride_h;
  header[NIBBLE_CONV2D_PAD_TOP] = layer.pad_top;
  header[NIBBLE_CONV2D_PAD_LEFT] = layer.pad_left;
  header[NIBBLE_CONV2D_ROW_SKIP] = layer.in_w * layer.in_c - form.run_len;
  header[NIBBLE_CONV2D_RUN_WORDS] = form.run_words();
  std::vector<uint8_t> stream;
  for (size_t i = 0; i < fields; ++i) put_word(stream, static_cast<uint32_t>(header[i]));
  stream.insert(stream.end(), pairs.begin(), pairs.end());
  return stream;
}

int64_t scratch_bytes(const ConvLayer& layer, const ConvForm& form) {
  int64_t window = int64_t{layer.k_h} * form.run_words() * form.text.column_step_bytes();
  int64_t border = form.text.horizontal ? int64_t{layer.k_h} * form.run_len : 0;
  return form.text.window_offset_bytes() + window + border;
}

// The largest divisor of `count` that is at most `most`.
int divisor(int count, int most) {
  int best = std::max(1, std::min(count, most));
  while (count % best != 0) --best;
  return best;
}

// Whole rows of `form`, as the target's instructions are counted in cycles.
double predict_cycles(const ConvLayer& layer, const ConvForm& form, const ConvCode& code) {
  const ConvText& text = form.text;
  double rows = text.flat ? 1 : layer.out_h,
         width = text.flat ? layer.out_h * layer.out_w : layer.out_w;
  double kernel_rows = 0;
  for (int oy = 0; oy < layer.out_h; ++oy) kernel_rows += layer.rows_inside(oy);
  kernel_rows /= layer.out_h;
  double units = (text.skips_rows() ? kernel_rows : layer.k_h) * form.run_words();
  double rounds = text.looped ? (units - text.rest) / text.unroll : 1;
  double entry_cycles = text.entry ? 12 : 0;
  auto pairs_of = [&](const Assembly& round, const Assembly& rest, const Assembly& pair) {
    return layer.pairs() * (rounds * thumb2_cycles(round) + thumb2_cycles(rest) +
                            thumb2_cycles(pair) + entry_cycles);
  };
  double whole = text.tail > 0 ? (text.blocks ? std::floor(width / kConvPixels) : 0)
                               : std::ceil(width / kConvPixels);
  double tails = text.tail > 0 ? std::ceil((width - whole * kConvPixels) / text.tail) : 0;
  double blocks = whole + tails;
  double run = thumb2_cycles(code.run);
  if (text.quad_loop) run += thumb2_cycles(code.quad_round) * (form.run_len / 4) / text.quad_unroll;
  double column = thumb2_cycles(code.column) + kernel_rows * run;
  double columns = text.slides() ? blocks * kConvPixels + text.taps() - 1 : blocks * text.columns();
  double cycles = blocks * (thumb2_cycles(code.block) + 40) + columns * column;
  if (text.slides()) cycles += blocks * units / text.slide_unroll * thumb2_cycles(code.slide_round);
  cycles += whole * pairs_of(code.unit_round, code.unit_rest, code.pair);
  cycles += tails * pairs_of(code.tail_round, code.tail_rest, code.tail_pair);
  return layer.batches * (rows * (cycles + thumb2_cycles(code.row)) + 60);
}

// The window of a block is read before its outputs are written.
std::vector<AccessStep> block_progress(const ConvLayer& layer, const ConvForm& form) {
  WindowWalk walk{layer.batches,  layer.in_h,    layer.in_w,    layer.in_c,
                  layer.out_h,    layer.out_w,   layer.out_c,   layer.stride_h,
                  layer.stride_w, layer.pad_top, layer.pad_left};
  if (form.text.flat) return run_progress(walk, kConvPixels, true);
  return tile_progress(walk, {1, kConvPixels, true});
}

std::string plain_body(const ConvForm& form, const OutputStage& stage) {
  const ConvText& text = form.text;
  return fmt::format(
      "  static const nibble_conv2d_s8_pairs_args args = {{{}, {}, {}, {}, {}, {}, {}}};\n"
      "  nibble_conv2d_s8_pairs(&args, src, dst, (int16_t *)scratch, stream, first_row, "
      "end_row);\n",
      text.flat ? 1 : 0, text.patch ? 1 : 0, text.entry ? 1 : 0, text.wide ? 1 : 0, text.k_w,
      text.stride_w, stage.c_range());
}

// The function for one image after the other.
std::string batches_text(const std::string& name, const std::string& image) {
  return fmt::format(
      "/* {1} for several images. */\n"
      "static void {0}(const int8_t *src, int8_t *dst, void *scratch, const uint32_t *stream,\n"
      "    int32_t batches, int32_t src_bytes, int32_t dst_bytes, int32_t first_row,\n"
      "    int32_t end_row) {{\n"
      "  for (; batches > 0; --batches, src += src_bytes, dst += dst_bytes)\n"
      "    {1}(src, dst, scratch, stream, first_row, end_row);\n"
      "}}\n",
      name, image);
}

KernelVariant make_variant(const ConvLayer& layer, const ConvForm& form, const OutputStage& stage) {
  KernelVariant variant;
  ConvCode code = conv2d_code(form.text, stage);
  CFunction function;
  std::string name = form.text.name(stage);
  function.name = layer.batches > 1 ? name + "_image" : name;
  function.comment = fmt::format(
      "convolution, {} column{} at stride {}{}, three pixels by two channels", form.text.k_w,
      form.text.k_w == 1 ? "" : "s", form.text.stride_w, form.text.flat ? ", rows in one" : "");
  function.parameters = {"const int8_t *src",      "int8_t *dst",       "void *scratch",
                         "const uint32_t *stream", "int32_t first_row", "int32_t end_row"};
  function.condition = "defined(__ARM_FEATURE_DSP) && defined(__thumb2__)";
  function.body = code.all;
  function.plain_body = plain_body(form, stage);
  std::string text = function_text(function);
  if (layer.batches > 1) {
    name += "_batches";
    text += batches_text(name, function.name);
    variant.numbers = {layer.batches, int64_t{layer.in_h} * layer.in_w * layer.in_c,
                       int64_t{layer.out_h} * layer.out_w * layer.out_c};
  }
  variant.function = {name,
                      "dsp",
                      {"common/nibble_common.h", "common/requant.h", "common/output_s8.h",
                       "common/channel_pairs_s8.h", "conv2d/conv2d_s8_pairs.h"},
                      {"const int8_t *", "int8_t *", "void *"},
                      true,
                      text};
  variant.packed = {{"stream", "uint32_t", pack(layer, form, stage)}};
  variant.scratch_bytes = scratch_bytes(layer, form);
  variant.progress = block_progress(layer, form);
  variant.cycles = predict_cycles(layer, form, code);
  // Three in four instructions take four bytes.
  variant.function.code_bytes = static_cast<int64_t>(code.all.count()) * 7 / 2;
  if (form.text.flat) variant.row_cost.pixels = kConvPixels;
  return variant;
}

void set_run(ConvText& text, int run_len) {
  constexpr int kMostStraight = 4;
  int quads = run_len / 4;
  text.quad_loop = quads > (text.patch ? kMostStraight : 1);
  text.quad_unroll = !text.quad_loop ? quads : quads % 4 == 0 ? 4 : quads % 2 == 0 ? 2 : 1;
  text.run_rest = run_len % 4;
}

void add_form(const ConvForm& form, int unroll, int rest, bool looped,
              std::vector<ConvForm>& forms) {
  for (bool wide : {false, true}) {
    ConvForm& added = forms.emplace_back(form);
    added.text.unroll = unroll;
    added.text.rest = rest;
    added.text.looped = looped;
    added.text.wide = wide;
  }
}

// All ways to unroll the loop over the words of weights.
void add_unrollings(const ConvLayer& layer, const ConvForm& form, std::vector<ConvForm>& forms) {
  constexpr int kMostWords = 36, kFewWords = 18, kEntryWords = 16;
  int units = layer.k_h * form.run_words(), taps = form.text.taps();
  if (form.text.patch && form.text.one_row && !form.text.horizontal && form.run_len >= 4) {
    ConvText& text = forms.emplace_back(form).text;
    text.unroll = kEntryWords;
    text.looped = text.entry = text.quad_loop = true;
    text.quad_unroll = 1;
    text.run_rest = 0;
  }
  for (int words : {kMostWords, kFewWords}) {
    int most = std::max(1, words / taps);
    if (form.text.skips_rows()) {
      add_form(form, divisor(form.run_words(), most), 0, true, forms);
    } else if (units <= most) {
      add_form(form, units, 0, false, forms);
    } else {
      // A power of two leaves no rest in most layers, so that they share the function.
      int unroll = 1;
      while (unroll * 2 <= most) unroll *= 2;
      add_form(form, unroll, units % unroll, true, forms);
    }
  }
}

std::vector<ConvForm> all_forms(const ConvLayer& layer) {
  std::vector<ConvForm> forms;
  for (bool patch : {true, false}) {
    ConvForm form;
    ConvText& text = form.text;
    text.k_w = layer.k_w;
    text.stride_w = layer.stride_w;
    text.patch = patch;
    text.flat = patch && layer.flat();
    text.vertical = layer.vertical();
    text.horizontal = patch && layer.horizontal();
    text.one_row = layer.k_h == 1 && !layer.vertical();
    form.run_len = (patch ? layer.k_w : 1) * layer.in_c;
    set_run(text, form.run_len);
    // Offsets in the instructions end at 255.
    if (text.column_step_bytes() > 255 || (text.horizontal && layer.in_w < layer.k_w)) continue;
    if (!patch && layer.k_w == 1 && !layer.vertical()) continue;
    if (text.phases() == 1 && text.taps() > 1 && layer.stride_w == 1)
      // Offsets of double loads end at 1020.
      text.slide_unroll = divisor(form.run_words(), std::min(8, 1000 / text.column_step_bytes()));
    int rest = text.flat && layer.out_w < kConvPixels ? 1 : layer.out_w % kConvPixels;
    text.blocks = text.flat || layer.out_w >= kConvPixels;
    std::vector<int> tails;
    if (rest > 0 && !(text.flat && layer.out_w >= kConvPixels)) tails.push_back(rest);
    if (layer.out_w >= kConvPixels) tails.push_back(0);
    // So that layers of all widths may share it.
    if (layer.out_w >= kConvPixels && rest != 2 && !text.flat) tails.push_back(2);
    for (int tail : tails) {
      text.tail = tail;
      add_unrollings(layer, form, forms);
    }
  }
  return forms;
}

// A layer's own output stage, or linear ones instead; and the one that layers with and without a
// fused activation may share.
std::vector<OutputStage> all_stages(const ConvLayer& layer, const OutputStage& own) {
  // The larger, the finer the scales; but the largest scale bounds it, and layers of one shift may
  // share a function.
  constexpr int kShifts[] = {4, 7};
  std::vector<AccumulatorRange> ranges =
      accumulator_ranges(layer.filter, layer.bias, static_cast<size_t>(layer.out_c), layer.in_zero);
  std::vector<int> flags(ranges.size(), -1);
  for (int a = 0; a < layer.out_c; a += 2) flags[static_cast<size_t>(a)] = pair_flags(layer, a);
  std::vector<OutputStage> stages;
  for (int shift : kShifts)
    if (std::optional<OutputStage> linear = own.linear(ranges, shift, flags))
      stages.push_back(*linear);
  if (stages.empty()) stages.push_back(own);
  if (OutputStage general = own.general(); general.name(true) != stages[0].name(true))
    stages.push_back(general);
  return stages;
}

std::vector<KernelVariant> generate(const ConvLayer& layer,
                                    const std::optional<OutputStage>& stage) {
  std::vector<KernelVariant> variants;
  if (!stage) return variants;
  for (int oy = 0; oy < layer.out_h; ++oy)
    if (layer.rows_inside(oy) < 1) return variants;
  std::vector<OutputStage> stages = all_stages(layer, *stage);
  for (const ConvForm& form : all_forms(layer))
    for (const OutputStage& one : stages) variants.push_back(make_variant(layer, form, one));
  return variants;
}

}  // namespace

std::vector<KernelVariant> generate_conv2d_s8_dsp(const LayerView& view, const LowerOptions&) {
  if (view.field("groups") != 1) return {};
  bool dilated = (view.field("dilation_h") > 1 && view.field("k_h") > 1) ||
                 (view.field("dilation_w") > 1 && view.field("k_w") > 1);
  if (dilated) return {};
  ConvLayer layer;
  auto read = [&](int& to, const char* name) { to = view.int_field(name); };
  read(layer.batches, "batches");
  read(layer.in_h, "in_h");
  read(layer.in_w, "in_w");
  read(layer.in_c, "in_c");
  read(layer.out_h, "out_h");
  read(layer.out_w, "out_w");
  read(layer.out_c, "out_c");
  read(layer.k_h, "k_h");
  read(layer.k_w, "k_w");
  read(layer.stride_h, "stride_h");
  read(layer.stride_w, "stride_w");
  read(layer.pad_top, "pad_top");
  read(layer.pad_left, "pad_left");
  read(layer.in_zero, "in_zero");
  layer.filter = view.s8("filter");
  layer.bias = view.s32("bias");
  return generate(layer, OutputStage::of(view));
}

// Rows are the pixels of an image of one row.
std::vector<KernelVariant> generate_dense_rows_s8_dsp(const LayerView& view, const LowerOptions&) {
  if (view.field("rows") < 2) return {};
  ConvLayer layer;
  layer.in_w = layer.out_w = view.int_field("rows");
  layer.in_c = view.int_field("in_len");
  layer.out_c = view.int_field("out_len");
  layer.in_zero = view.int_field("in_zero");
  layer.filter = view.s8("filter");
  layer.bias = view.s32("bias");
  return generate(layer, OutputStage::of(view));
}

}  // namespace nibble
