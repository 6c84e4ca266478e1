#include "placement.h"

#include <algorithm>

namespace scanline {
namespace {

template <class Visit>
void each_access(Program& program, Visit visit) {
  for (Phase& phase : program.phases)
    for (Operation& op : phase.operations)
      for (std::vector<Access>* accesses : {&op.outs, &op.ins, &op.addends})
        for (Access& access : *accesses) visit(access, phase.kind);
  for (Head& head : program.heads)
    for (Access& input : head.inputs) visit(input, PhaseKind::pixel);
  visit(program.pixel, PhaseKind::pixel);
}

// Row r + n takes the place of row r. Row r - dy reads column c of row r from column c - dx, while row r + n stands at
// column c - dx - (n + dy) slope, which must lie before c.
int rows_until_read(const Access& access, int slope) {
  return slope ? -access.dy + std::max(0, -access.dx) / slope + 1 : 1;
}

void find_reach(Program& program) {
  each_access(program, [&](const Access& access, PhaseKind kind) {
    Feature& f = program.features[static_cast<std::size_t>(access.feature)];
    f.rows_above = std::max(f.rows_above, -access.dy + (kind == PhaseKind::row_reverse));
    f.rows_below = std::max(f.rows_below, access.dy - (kind == PhaseKind::row_reverse));
    f.columns_left = std::max(f.columns_left, -access.dx);
    f.columns_right = std::max(f.columns_right, access.dx);
    f.lines_kept = std::max({f.lines_kept, f.rows_above + 1, rows_until_read(access, program.front_slope)});
  });
}

// Features of coarse levels are held from row to row and column to column, so they always keep their rows.
void choose_storage(Program& program) {
  std::vector<bool> is_cell(program.features.size(), true), is_row_only(program.features.size(), true);
  each_access(program, [&](const Access& access, PhaseKind kind) {
    const auto f = static_cast<std::size_t>(access.feature);
    if (kind != PhaseKind::pixel || access.dy || access.dx) is_cell[f] = false;
    if (kind != PhaseKind::row || access.dy) is_row_only[f] = false;
  });
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    Feature& f = program.features[i];
    if (f.scope == Scope::vector || f.scope == Scope::given_vector) f.storage = Storage::vector;
    else if (f.scope == Scope::given_map) f.storage = Storage::image;
    else if (f.level) f.storage = Storage::rows;
    else if (is_cell[i]) f.storage = Storage::cell;
    else if (is_row_only[i]) f.storage = Storage::row_only;
  }
}

int pointers(const Operation& op) {
  return static_cast<int>(op.outs.size() + op.ins.size() + op.addends.size());
}

}  // namespace

void place(Program& program) {
  find_reach(program);
  choose_storage(program);
  for (Feature& f : program.features) {
    f.first_line = program.num_lines + f.rows_below;
    program.num_lines = f.first_line + f.rows_above + 1;
    if (f.scope == Scope::given_map) program.map_size += f.width;
  }
  each_access(program, [&](Access& access, PhaseKind kind) {
    const Feature& f = program.features[static_cast<std::size_t>(access.feature)];
    access.line = f.first_line - access.dy + (kind == PhaseKind::row_reverse && f.storage != Storage::vector);
    access.level = f.level;
    access.stride = f.stride();
    access.offset = std::int64_t{f.stride()} * (f.columns_left + access.dx) + access.start;
  });
  for (Phase& phase : program.phases)
    for (Operation& op : phase.operations) {
      op.level = program.features[static_cast<std::size_t>(op.outs[0].feature)].level;
      program.max_pointers = std::max(program.max_pointers, pointers(op));
      program.max_depth = std::max(program.max_depth, op.depth);
      for (const Access& out : op.outs) program.max_width = std::max(program.max_width, out.width);
    }
}

}  // namespace scanline
