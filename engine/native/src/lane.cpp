#include "lane.h"

#include <algorithm>

#include "philox.h"

namespace scanline {

namespace {

// What bfloat16 kernels want before and after a run, in its thread.
class Bf16Run {
 public:
  explicit Bf16Run(const Bf16Kernels* kernels) : kernels_(kernels) {
    if (kernels_ && kernels_->begin) kernels_->begin();
  }
  ~Bf16Run() {
    if (kernels_ && kernels_->end) kernels_->end();
  }
  Bf16Run(const Bf16Run&) = delete;
  Bf16Run& operator=(const Bf16Run&) = delete;

 private:
  const Bf16Kernels* kernels_;
};

}  // namespace

Lane::Lane(const Program& program, int height, int width, int num_slots, const Results& results)
    : program_(program),
      height_(height),
      width_(width),
      results_(results),
      slots_(static_cast<std::size_t>(num_slots), Slot(program, height, width)),
      stride_(static_cast<std::size_t>(std::max(width, kPositionsAtOnce))),
      pointers_(stride_ * static_cast<std::size_t>(program.max_pointers)),
      held_back_(stride_ * static_cast<std::size_t>(program.max_width)),
      row_filter_(program) {
  if (program.kernels.bf16) rounded_.resize(static_cast<std::size_t>(kScratchRows * (program.max_depth + kLanes)));
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
  const Bf16Run bf16_run(program_.kernels.bf16);
  positions_ = {{&slots_[static_cast<std::size_t>(slot)], slots_[static_cast<std::size_t>(slot)].lines(0), 0, 0}};
  for (const Phase& phase : program_.phases)
    if (phase.kind == PhaseKind::admit) run_phase(phase);
}

void Lane::run(int max_fronts, int max_pixels, const std::int32_t* interrupt) {
  const Bf16Run bf16_run(program_.kernels.bf16);
  for (std::int64_t num_pixels = 0; max_fronts > 0 && num_pixels < max_pixels; --max_fronts) {
    front_.clear();
    for (std::size_t index = 0; index < slots_.size(); ++index)
      if (slots_[index].is_active) begin_rows(index);
    draw_front();
    bool has_finished = false;
    for (std::size_t index = 0; index < slots_.size(); ++index)
      if (slots_[index].is_active) has_finished |= advance(index);
    if (has_finished || (interrupt && __atomic_load_n(interrupt, __ATOMIC_RELAXED))) return;
    num_pixels += static_cast<std::int64_t>(front_.size());
  }
}

// The front of one image; the row that begins there is made ready.
void Lane::begin_rows(std::size_t index) {
  Slot& slot = slots_[index];
  for (int row = slot.first_row(); row < slot.end_row(); ++row) {
    if (slot.column(row) == 0) {
      slot.begin_row(row, tops_);
      run_row_phases(slot, row);
      const std::size_t at = index * static_cast<std::size_t>(height_) + static_cast<std::size_t>(row);
      results_.log_probs[at] = results_.drawn_log_probs[at] = 0;
    }
    front_.push_back({&slot, slot.lines(row), row, slot.column(row)});
  }
}

// Each image has its own turn: its row is a matrix product of `width` rows by itself.
void Lane::run_row_phases(const Slot& slot, int row) {
  for (const Phase& phase : program_.phases) {
    if (phase.kind == PhaseKind::row) {
      positions_.clear();
      for (int column = 0; column < width_; ++column) positions_.push_back({&slot, slot.lines(row), row, column});
      run_phase(phase);
    }
    if (phase.kind == PhaseKind::row_reverse && row > 0)
      for (int column = width_ - 1; column >= 0; --column) {
        positions_ = {{&slot, slot.lines(row), row, column}};
        run_phase(phase);
      }
  }
}

// The pixels of a front are independent of each other: some of them at a time, through everything.
void Lane::draw_front() {
  for (std::size_t first = 0; first < front_.size(); first += positions_.size()) {
    const std::size_t end = std::min(front_.size(), first + kPositionsAtOnce);
    positions_.assign(front_.begin() + static_cast<std::ptrdiff_t>(first),
                      front_.begin() + static_cast<std::ptrdiff_t>(end));
    draw_positions();
  }
}

// Channel group after channel group.
void Lane::draw_positions() {
  for (const Phase& phase : program_.phases) {
    if (phase.kind != PhaseKind::pixel) continue;
    run_phase(phase);
    if (phase.group < static_cast<int>(program_.heads.size()))
      draw_channels(program_.heads[static_cast<std::size_t>(phase.group)]);
  }
}

void Lane::draw_channels(const Head& head) {
  HeadCall call{};
  for (std::size_t i = 0; i < head.inputs.size(); ++i) call.input_widths[i] = head.inputs[i].width;
  call.num_channels = head.num_channels;
  call.num_levels = program_.num_levels;
  call.mcgsm = &head.mcgsm;
  call.scratch = head_scratch_.data();
  head_rows_.clear();
  for (const Position& position : positions_) head_rows_.push_back(head_row(head, position));
  call.num_rows = static_cast<int>(head_rows_.size());
  call.rows = head_rows_.data();
  program_.kernels.heads[static_cast<std::size_t>(head.kind)](call);
  for (std::size_t i = 0; i < positions_.size(); ++i) keep(head, positions_[i], head_rows_[i]);
}

HeadRow Lane::head_row(const Head& head, const Position& position) const {
  const Slot& slot = *position.slot;
  const int pixel = position.row * width_ + position.column, first = head.first_channel;
  HeadRow row;
  for (std::size_t i = 0; i < head.inputs.size(); ++i) row.inputs[i] = position.at(head.inputs[i]);
  row.temperature = slot.temperature;
  row.known = slot.is_known(pixel) ? slot.known(pixel) + first : nullptr;
  // One number a channel; a density takes two for its one channel, the second as engine/philox.py says.
  const int numbers = program_.num_levels ? head.num_channels : 2;
  const int step = program_.num_levels ? 1 : program_.channels;
  for (int i = 0; i < numbers && !row.known; ++i)
    row.uniforms[i] = uniform(slot.seed, slot.sample, static_cast<std::uint32_t>(pixel),
                              static_cast<std::uint32_t>(first + i * step), slot.stage);
  return row;
}

void Lane::keep(const Head& head, const Position& position, const HeadRow& row) {
  const std::int64_t slot = position.slot - slots_.data(), line = slot * height_ + position.row;
  const std::int64_t first = (line * width_ + position.column) * program_.channels + head.first_channel;
  float* feature = position.at(program_.pixel) + head.first_channel;
  for (int i = 0; i < head.num_channels; ++i) {
    feature[i] = results_.values[first + i] = row.values[i];
    results_.pixel_log_probs[first + i] = row.log_probs[i];
    results_.log_probs[line] += row.log_probs[i];
    if (!row.known) results_.drawn_log_probs[line] += row.log_probs[i];
  }
}

// Go on to the next front; true if the image is finished.
bool Lane::advance(std::size_t index) {
  Slot& slot = slots_[index];
  const int row = slot.first_row();
  if (!slot.advance()) return false;
  results_.rows_done[index] = row + 1;
  slot.is_active = row + 1 < height_;
  return !slot.is_active;
}

// What a pixel phase adds was written by the row phase, long ago: it is fetched one operation before it is added.
void Lane::run_phase(const Phase& phase) {
  const std::vector<Operation>& ops = phase.operations;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (phase.kind == PhaseKind::pixel && i + 1 < ops.size()) fetch_addends(ops[i + 1]);
    run_where_due(ops[i]);
  }
}

void Lane::fetch_addends(const Operation& op) const {
  for (const Access& addend : op.addends)
    for (const Position& position : positions_) {
      const float* p = position.at(addend);
      for (int i = 0; i < addend.width; i += kLanes) __builtin_prefetch(p + i);
    }
}

// Coarse features are computed at every 2^level-th row and column; up-taps choose their weights by row and column. A
// filter is of a row phase, whose positions are one row.
void Lane::run_where_due(const Operation& op) {
  if (op.filter_step) return row_filter_.run(op, positions_.front().lines, width_, rounded_.data());
  if (op.level == 0 && op.up == 1) return run_operation(op, positions_, 0);
  const int skipped = (1 << op.level) - 1;
  for (int residue = 0; residue < op.up * op.up; ++residue) {
    due_.clear();
    for (const Position& p : positions_) {
      if ((p.row | p.column) & skipped) continue;
      if ((p.row >> op.level) % op.up * op.up + (p.column >> op.level) % op.up == residue) due_.push_back(p);
    }
    if (!due_.empty()) run_operation(op, due_, residue);
  }
}

void Lane::point(const std::vector<Access>& accesses, const std::vector<Position>& positions,
                 const float** pointers) const {
  for (const Access& access : accesses) {
    for (std::size_t i = 0; i < positions.size(); ++i) pointers[i] = positions[i].at(access);
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
  call.scratch = rounded_.data();
  (op.is_bf16 ? program_.kernels.bf16->affine : program_.kernels.affine)(call);
  if (op.reads_its_output)
    for (std::size_t i = 0; i < rows; ++i)
      std::copy(outs[i], outs[i] + width, positions[i].at(op.outs[0]));
}

}  // namespace scanline
