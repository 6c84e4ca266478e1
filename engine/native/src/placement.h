// Decides where every feature lives, from who reads it where, and gives every access its place.
#pragma once

#include "program.h"

namespace scanline {

void place(Program& program);

}  // namespace scanline
