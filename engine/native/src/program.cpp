#include "program.h"

#include <algorithm>

#include "head_constants.h"
#include "packing.h"
#include "placement.h"
#include "reader.h"

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

void read_affine(Reader& reader, Operation& op, Program& program) {
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
  op.is_bf16 = program.kernels.affine_bf16 && !is_exact;
  for (int width : op.tap_widths) op.depth += op.is_bf16 ? (width + 1) / 2 : width;
  const int out_width = op.outs[0].width;
  op.bias = pack_bias(reader.vector(bias, out_width));
  for (int residue = 0; residue < op.up * op.up; ++residue) {
    op.weights.push_back(program.weights.size());
    pack_weights(reader, taps, op, residue, program.kernels.panel, program.weights);
  }
}

Operation read_operation(Reader& reader, Program& program) {
  Operation op;
  op.is_affine = reader.number() != 0;
  if (op.is_affine) {
    read_affine(reader, op, program);
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
  for (Operation& op : phase.operations) op = read_operation(reader, program);
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
