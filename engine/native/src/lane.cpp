#include "lane.h"

#include <algorithm>

#include "philox.h"

namespace scanline {

Lane::Lane(const Program& program, int height, int width, int num_slots, const Results& results)
    : program_(program),
      height_(height),
      width_(width),
      results_(results),
      slots_(static_cast<std::size_t>(num_slots), Slot(program, height, width)),
      stride_(static_cast<std::size_t>(std::max(width, num_slots))),
      pointers_(stride_ * static_cast<std::size_t>(program.max_pointers)),
      held_back_(stride_ * static_cast<std::size_t>(program.max_width)),
      input_stride_(program.max_depth + kLanes) {
  if (program.kernels.affine_bf16) input_scratch_.resize(static_cast<std::size_t>(kTileRows * input_stride_));
  for (const Feature& f : program.features) {
    tops_.push_back(make_top(f, width));
    row_only_.push_back(make_lines(f, width, f.storage == Storage::row_only));
  }
  for (const Head& head : program.heads)
    head_scratch_.resize(std::max(head_scratch_.size(), static_cast<std::size_t>(head.scratch_size)));
}

void Lane::admit(int slot, const Request& request) {
  slots_[static_cast<std::size_t>(slot)].admit(request, tops_, row_only_);
  results_.rows_done[slot] = 0;
  positions_ = {{&slots_[static_cast<std::size_t>(slot)], 0}};
  for (const Phase& phase : program_.phases)
    if (phase.kind == PhaseKind::admit) run_phase(phase);
}

void Lane::run(int max_pixels) {
  for (int i = 0; i < max_pixels; ++i) {
    for (Slot& slot : slots_)
      if (slot.is_active && slot.column == 0) begin_row(slot);
    draw_pixels();
    bool has_finished = false;
    for (std::size_t index = 0; index < slots_.size(); ++index)
      if (slots_[index].is_active) has_finished |= advance(index);
    if (has_finished) return;
  }
}

// The row phases of one image. Each image has its own turn: its row is a matrix product of `width` rows by itself.
void Lane::begin_row(Slot& slot) {
  slot.point_at_row(tops_);
  for (const Phase& phase : program_.phases) {
    if (phase.kind == PhaseKind::row) {
      positions_.clear();
      for (int column = 0; column < width_; ++column) positions_.push_back({&slot, column});
      run_phase(phase);
    }
    if (phase.kind == PhaseKind::row_reverse && slot.row > 0)
      for (int column = width_ - 1; column >= 0; --column) {
        positions_ = {{&slot, column}};
        run_phase(phase);
      }
  }
}

// One pixel of every image, channel group after channel group.
void Lane::draw_pixels() {
  positions_.clear();
  for (const Slot& slot : slots_)
    if (slot.is_active) positions_.push_back({&slot, slot.column});
  for (const Phase& phase : program_.phases) {
    if (phase.kind != PhaseKind::pixel) continue;
    run_phase(phase);
    if (phase.group < static_cast<int>(program_.heads.size()))
      for (Slot& slot : slots_)
        if (slot.is_active) draw_channels(program_.heads[static_cast<std::size_t>(phase.group)], slot);
  }
}

void Lane::draw_channels(const Head& head, Slot& slot) {
  const int position = slot.row * width_ + slot.column, first = head.first_channel;
  HeadCall call{};
  for (std::size_t i = 0; i < head.inputs.size(); ++i) {
    call.inputs[i] = slot.at(head.inputs[i], slot.column);
    call.input_widths[i] = head.inputs[i].width;
  }
  call.num_channels = head.num_channels;
  call.num_levels = program_.num_levels;
  call.mcgsm = &head.mcgsm;
  call.temperature = slot.temperature;
  call.scratch = head_scratch_.data();
  call.known = slot.is_known() ? slot.known() + first : nullptr;
  // One number a channel; a density takes two for its one channel, the second as engine/philox.py says.
  const int numbers = program_.num_levels ? head.num_channels : 2;
  const int step = program_.num_levels ? 1 : program_.channels;
  for (int i = 0; i < numbers && !call.known; ++i)
    call.uniforms[i] = uniform(slot.seed, slot.sample, static_cast<std::uint32_t>(position),
                               static_cast<std::uint32_t>(first + i * step));
  program_.kernels.heads[static_cast<std::size_t>(head.kind)](call);
  const std::int64_t pixel = (&slot - slots_.data()) * std::int64_t{height_} * width_ + position;
  for (int i = 0; i < head.num_channels; ++i) {
    slot.at(program_.pixel, slot.column)[first + i] = call.values[i];
    results_.values[pixel * program_.channels + first + i] = call.values[i];
    slot.row_log_prob += call.log_probs[i];
    if (!call.known) slot.row_drawn_log_prob += call.log_probs[i];
  }
}

// Go on to the next pixel; true if the image is finished.
bool Lane::advance(std::size_t index) {
  Slot& slot = slots_[index];
  if (++slot.column < width_) return false;
  const std::size_t row = index * static_cast<std::size_t>(height_) + static_cast<std::size_t>(slot.row);
  results_.log_probs[row] = slot.row_log_prob;
  results_.drawn_log_probs[row] = slot.row_drawn_log_prob;
  slot.row_log_prob = slot.row_drawn_log_prob = 0;
  slot.column = 0;
  results_.rows_done[index] = ++slot.row;
  slot.is_active = slot.row < height_;
  return !slot.is_active;
}

void Lane::run_phase(const Phase& phase) {
  for (const Operation& op : phase.operations) run_where_due(op);
}

// Coarse features are computed at every 2^level-th row and column; up-taps choose their weights by row and column.
void Lane::run_where_due(const Operation& op) {
  if (op.level == 0 && op.up == 1) return run_operation(op, positions_, 0);
  const int skipped = (1 << op.level) - 1;
  for (int residue = 0; residue < op.up * op.up; ++residue) {
    due_.clear();
    for (const Position& p : positions_) {
      const int row = p.slot->row, column = p.column;
      if ((row | column) & skipped) continue;
      if ((row >> op.level) % op.up * op.up + (column >> op.level) % op.up == residue) due_.push_back(p);
    }
    if (!due_.empty()) run_operation(op, due_, residue);
  }
}

void Lane::point(const std::vector<Access>& accesses, const std::vector<Position>& positions,
                 const float** pointers) const {
  for (const Access& access : accesses) {
    for (std::size_t i = 0; i < positions.size(); ++i) pointers[i] = positions[i].slot->at(access, positions[i].column);
    pointers += stride_;
  }
}

void Lane::run_operation(const Operation& op, const std::vector<Position>& positions, int residue) {
  if (op.is_affine) return run_affine(op, positions, residue);
  const float** ins = pointers_.data();
  const float** outs = ins + op.ins.size() * stride_;
  point(op.ins, positions, ins);
  point(op.outs, positions, outs);
  PointwiseCall call{};
  call.kind = op.kind;
  call.rows = static_cast<int>(positions.size());
  call.stride = static_cast<int>(stride_);
  call.width = op.outs[0].width;
  call.num_ins = static_cast<int>(op.ins.size());
  call.ins = ins;
  call.outs = const_cast<float* const*>(outs);
  program_.kernels.pointwise(call);
}

void Lane::run_affine(const Operation& op, const std::vector<Position>& positions, int residue) {
  const std::size_t rows = positions.size(), width = static_cast<std::size_t>(op.outs[0].width);
  const float** sources = pointers_.data();
  const float** addends = sources + op.ins.size() * stride_;
  const float** outs = addends + op.addends.size() * stride_;
  point(op.ins, positions, sources);
  point(op.addends, positions, addends);
  point(op.outs, positions, outs);
  if (op.reads_its_output)
    for (std::size_t i = 0; i < rows; ++i) outs[i] = held_back_.data() + i * width;
  AffineCall call{};
  call.rows = static_cast<int>(rows);
  call.stride = static_cast<int>(stride_);
  call.num_taps = static_cast<int>(op.ins.size());
  call.tap_widths = op.tap_widths.data();
  call.sources = sources;
  call.num_addends = static_cast<int>(op.addends.size());
  call.addends = addends;
  call.bias = op.bias.data();
  call.weights = program_.weights.data() + op.weights[static_cast<std::size_t>(residue)];
  call.depth = op.depth;
  call.out_width = op.outs[0].width;
  call.outs = const_cast<float* const*>(outs);
  call.activation = op.activation;
  call.scratch = input_scratch_.data();
  call.scratch_stride = input_stride_;
  (op.is_bf16 ? program_.kernels.affine_bf16 : program_.kernels.affine)(call);
  if (op.reads_its_output)
    for (std::size_t i = 0; i < rows; ++i)
      std::copy(outs[i], outs[i] + width, positions[i].slot->at(op.outs[0], positions[i].column));
}

}  // namespace scanline
