// Images of one size drawn side by side, each wherever it stands.
#pragma once

#include <cstdint>
#include <vector>

#include "row_filter.h"
#include "slot.h"

namespace scanline {

// What the caller reads results from; the arrays are the caller's. One entry a slot.
struct Results {
  std::int32_t* rows_done;      // [slot]
  float* values;                // [slot][height][width][channels], levels or a density's numbers
  double* log_probs;            // [slot][height] of whole rows, in nats at temperature 1
  double* drawn_log_probs;      // [slot][height] of the pixels that were not known
  double* pixel_log_probs;      // [slot][height][width][channels]
};

class Lane {
 public:
  Lane(const Program& program, int height, int width, int num_slots, const Results& results);

  void admit(int slot, const Request& request);
  void clear(int slot) { slots_[static_cast<std::size_t>(slot)].is_active = false; }

  // Advance every image by up to `max_fronts` fronts, until about `max_pixels` pixels of all of them are drawn; returns
  // early when an image is finished, so that another may join, or when another thread sets `*interrupt`, which may be null.
  void run(int max_fronts, int max_pixels, const std::int32_t* interrupt);

 private:
  struct Position {
    const Slot* slot;
    float* const* lines;  // of its row
    int row, column;

    float* at(const Access& a) const { return a.at(lines, column); }
  };

  void begin_rows(std::size_t index);
  void run_row_phases(const Slot& slot, int row);
  void draw_front();
  void draw_positions();
  void draw_channels(const Head& head);
  HeadRow head_row(const Head& head, const Position& position) const;
  void keep(const Head& head, const Position& position, const HeadRow& row);
  bool advance(std::size_t index);
  void run_phase(const Phase& phase);
  void fetch_addends(const Operation& op) const;
  void run_where_due(const Operation& op);
  void run_operation(const Operation& op, const std::vector<Position>& positions, int residue);
  void run_affine(const Operation& op, const std::vector<Position>& positions, int residue);
  void point(const std::vector<Access>& accesses, const std::vector<Position>& positions, const float** pointers) const;

  const Program& program_;
  int height_, width_;
  Results results_;
  std::vector<Slot> slots_;
  std::vector<AlignedFloats> tops_, row_only_;  // one a feature
  std::vector<Position> front_;           // all pixels that are drawn next
  std::vector<Position> positions_, due_;  // of a phase, of an operation
  std::size_t stride_;  // positions that one operation may have
  std::vector<const float*> pointers_;
  AlignedFloats held_back_;
  std::vector<HeadRow> head_rows_;
  std::vector<double> head_scratch_;
  RowFilter row_filter_;
  AlignedFloats rounded_;  // inputs as pairs of bfloat16
};

}  // namespace scanline
