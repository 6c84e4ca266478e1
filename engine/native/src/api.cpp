// The C interface that engine/native/library.py loads. Nothing here holds the interpreter's lock, and different lanes
// may run in different threads at the same time.
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "lane.h"

#define EXPORT __attribute__((visibility("default")))

namespace {

void write_error(const char* message, char* error, std::int64_t size) {
  std::strncpy(error, message, static_cast<std::size_t>(size - 1));
  error[size - 1] = 0;
}

std::string refusal(const char* kernels) {
  std::string message = "'" + std::string(kernels) + "' is none of the kernels that this processor runs:";
  const char* separator = " ";
  for (const char* name : scanline::kKernelNames)
    if (scanline::choose_kernels(name)) message += std::exchange(separator, ", ") + std::string(name);
  return message;
}

}  // namespace

extern "C" {

// Each constructor returns null and writes a message if it fails.
EXPORT void* scanline_program(const std::int64_t* words, std::int64_t num_words, const float* parameters,
                       std::int64_t num_parameters, const char* kernels, char* error, std::int64_t error_size) {
  const scanline::Kernels* chosen = scanline::choose_kernels(kernels);
  if (!chosen) {
    write_error(refusal(kernels).c_str(), error, error_size);
    return nullptr;
  }
  try {
    return new scanline::Program(words, num_words, parameters, num_parameters, *chosen);
  } catch (const std::exception& exception) {
    write_error(exception.what(), error, error_size);
    return nullptr;
  }
}

EXPORT void scanline_free_program(void* program) { delete static_cast<scanline::Program*>(program); }

EXPORT const char* scanline_kernels_of(const void* program) {
  return static_cast<const scanline::Program*>(program)->kernels.name;
}

EXPORT void* scanline_lane(const void* program, int height, int width, int num_slots, const scanline::Results* results,
                    char* error, std::int64_t error_size) {
  try {
    return new scanline::Lane(*static_cast<const scanline::Program*>(program), height, width, num_slots, *results);
  } catch (const std::exception& exception) {
    write_error(exception.what(), error, error_size);
    return nullptr;
  }
}

EXPORT void scanline_free_lane(void* lane) { delete static_cast<scanline::Lane*>(lane); }

// 0 if the slot is ready, 1 if there is no memory for it.
EXPORT int scanline_admit(void* lane, int slot, const scanline::Request* request) {
  try {
    static_cast<scanline::Lane*>(lane)->admit(slot, *request);
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}

EXPORT void scanline_clear(void* lane, int slot) { static_cast<scanline::Lane*>(lane)->clear(slot); }

EXPORT void scanline_run(void* lane, int max_fronts, int max_pixels, const std::int32_t* interrupt) {
  static_cast<scanline::Lane*>(lane)->run(max_fronts, max_pixels, interrupt);
}

// Floating-point operations done by `rounds` rounds of independent multiply-adds; 0 without those kernels.
EXPORT double scanline_fma_work(const char* kernels, std::int64_t rounds) {
  const scanline::Kernels* chosen = scanline::choose_kernels(kernels);
  return chosen ? chosen->fma_work(rounds) : 0;
}

// A pointwise function on rows of `width` numbers side by side, for tests of accuracy.
EXPORT void scanline_pointwise(const char* kernels, std::int64_t kind, int width, int num_ins, const float* const* ins,
                        float* const* outs) {
  scanline::PointwiseCall call{};
  call.kind = static_cast<scanline::Pointwise>(kind);
  call.rows = call.stride = 1;
  call.width = width;
  call.num_ins = num_ins;
  call.ins = ins;
  call.outs = outs;
  scanline::choose_kernels(kernels)->pointwise(call);
}

}  // extern "C"
