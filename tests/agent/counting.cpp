// Counts the buffers that MLX's CPU backend has alive: what Metal's allocator counts against its limit.
#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include "mlx/allocator.h"

static std::atomic<long> live{0};
extern "C" long live_buffers() { return live.load(); }

namespace mlx::core::allocator {
class Counting : public Allocator {
 public:
  explicit Counting(Allocator& of) : of_(of) {}
  Buffer malloc(size_t size) override {
    Buffer made = of_.malloc(size);
    live += made.ptr() != nullptr;
    return made;
  }
  void free(Buffer buffer) override {
    live -= buffer.ptr() != nullptr;
    of_.free(buffer);
  }
  size_t size(Buffer buffer) const override { return of_.size(buffer); }

 private:
  Allocator& of_;
};

Allocator& allocator() {  // in the place of MLX's own, which the name of its library leads to
  using Get = Allocator& (*)();
  static void* mlx = dlopen(std::getenv("COUNTED"), RTLD_NOLOAD | RTLD_LAZY);
  static auto* counting = new Counting(reinterpret_cast<Get>(dlsym(mlx, "_ZN3mlx4core9allocator9allocatorEv"))());
  return *counting;
}
}  // namespace mlx::core::allocator
