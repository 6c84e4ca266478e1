#include "program.h"

#include <algorithm>

#include "head_constants.h"
#include "packing.h"
#include "placement.h"
#include "row_filter.h"

namespace scanline {
namespace {

Feature read_feature(Reader& reader) {
  Feature f;
  f.scope = static_cast<Scope>(reader.word());
  f.width = reader.number();
  f.level = reader.number();
  f.top = reader.vector(reader.word(), f.width);
  f.left = reader.vector(reader.word(), f.width);
  f.right = reader.vector(reader.word(), f.width);
  return f;
}

Access read_access(Reader& reader) {
  Access a;
  a.feature = reader.number();
  a.start = reader.number();
  a.width = reader.number();
  a.dy = reader.number();
  a.dx = reader.number();
  return a;
}

std::vector<Access> read_accesses(Reader& reader) {
  std::vector<Access> accesses(static_cast<std::size_t>(reader.number()));
  for (Access& a : accesses) a = read_access(reader);
  return accesses;
}

bool overlap(const Access& a, const Access& b) {
  return a.feature == b.feature && a.start < b.start + b.width && b.start < a.start + a.width;
}

// The weights of each tap that positions of `residue` = (r mod up) * up + (c mod up) use.
std::vector<const float*> weights_of(const Reader& reader, const std::vector<EncodedTap>& taps, const Operation& op,
                                     int residue) {
  std::vector<const float*> weights;
  for (std::size_t t = 0; t < taps.size(); ++t) {
    const int up = taps[t].up, entry = residue / op.up % up * up + residue % op.up % up;
    const std::int64_t size = std::int64_t{op.outs[0].width} * op.tap_widths[t];
    weights.push_back(reader.span(taps[t].weight + entry * size, size));
  }
  return weights;
}

bool all_even(const std::vector<int>& widths) {
  return std::none_of(widths.begin(), widths.end(), [](int width) { return width % 2; });
}

// A filter takes a row of the image from end to end, some of its columns at a time: what it reads of other columns must
// be there before it begins, and must not be what it writes.
bool may_filter(const Operation& op, PhaseKind phase, const Program& program) {
  if (phase != PhaseKind::row || op.up > 1 || !triples_step(op) || !filter_pays(op)) return false;
  // The products of a filter have all inputs in one tap: their pairs are those of the taps only if each fills its own, and
  // no block is left to be filled up. (AMX has blocks; its products are so fast that a filter would gain little.)
  if (op.is_bf16 && !(program.kernels.bf16->block == 1 && all_even(op.tap_widths))) return false;
  const auto level = [&](const Access& a) { return program.features[static_cast<std::size_t>(a.feature)].level; };
  for (const Access& in : op.ins)
    if (level(in) || (in.dy == 0 && overlap(in, op.outs[0]))) return false;
  return level(op.outs[0]) == 0;
}

void read_affine(Reader& reader, PhaseKind phase, Operation& op, Program& program) {
  op.outs = {read_access(reader)};
  const std::int64_t bias = reader.word();
  op.addends = read_accesses(reader);
  op.activation = static_cast<Activation>(reader.word());
  const bool is_exact = reader.word() != 0;
  std::vector<EncodedTap> taps(static_cast<std::size_t>(reader.number()));
  for (EncodedTap& tap : taps) {
    tap.weight = reader.word();
    tap.up = reader.number();
    op.ins.push_back(read_access(reader));
    op.tap_widths.push_back(op.ins.back().width);
    op.up = std::max(op.up, tap.up);
    op.reads_its_output |= overlap(op.ins.back(), op.outs[0]) && !op.ins.back().dy && !op.ins.back().dx;
  }
  const Bf16Kernels* const bf16 = is_exact ? nullptr : program.kernels.bf16;
  op.is_bf16 = bf16 != nullptr;
  for (int width : op.tap_widths) op.depth += bf16 ? (width + 1) / 2 : width;
  if (bf16) op.depth = (op.depth + bf16->block - 1) / bf16->block * bf16->block;
  const int out_width = op.outs[0].width;
  op.bias = pack_bias(reader.vector(bias, out_width));
  if (may_filter(op, phase, program)) return make_filter(reader, taps, program, op);
  for (int residue = 0; residue < op.up * op.up; ++residue) {
    op.weights.push_back(program.weights.size());
    pack_weights(weights_of(reader, taps, op, residue), op, bf16 ? bf16->panel : program.kernels.panel, program.weights);
  }
}

Operation read_operation(Reader& reader, PhaseKind phase, Program& program) {
  Operation op;
  op.is_affine = reader.number() != 0;
  if (op.is_affine) {
    read_affine(reader, phase, op, program);
  } else {
    op.kind = static_cast<Pointwise>(reader.word());
    op.outs = read_accesses(reader);
    op.ins = read_accesses(reader);
  }
  return op;
}

Phase read_phase(Reader& reader, Program& program) {
  Phase phase;
  phase.kind = static_cast<PhaseKind>(reader.word());
  phase.group = reader.number();
  phase.operations.resize(static_cast<std::size_t>(reader.number()));
  for (Operation& op : phase.operations) op = read_operation(reader, phase.kind, program);
  return phase;
}

}  // namespace

Program::Program(const std::int64_t* words, std::int64_t num_words, const float* parameters,
                 std::int64_t num_parameters, const Kernels& chosen)
    : kernels(chosen) {
  Reader reader(words, num_words, parameters, num_parameters);
  channels = reader.number();
  num_levels = reader.number();
  front_slope = reader.number();
  features.resize(static_cast<std::size_t>(reader.number()));
  for (Feature& f : features) f = read_feature(reader);
  pixel = read_access(reader);
  phases.resize(static_cast<std::size_t>(reader.number()));
  for (Phase& phase : phases) phase = read_phase(reader, *this);
  heads.resize(static_cast<std::size_t>(reader.number()));
  for (Head& head : heads) {
    head.kind = static_cast<HeadKind>(reader.word());
    head.first_channel = reader.number();
    head.num_channels = reader.number();
    head.inputs = read_accesses(reader);
    prepare_head(reader, num_levels, head);
  }
  if (!reader.at_end()) throw std::runtime_error("the encoded program does not end where it should");
  place(*this);
}

}  // namespace scanline
