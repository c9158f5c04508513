// The threads beside the one that calls: PyTorch's own where it is loaded, or a pool of workers,
// which spin for a moment after their work and then sleep.
#pragma once

#include <cstddef>
#include <functional>

namespace unrolled {

class Pool;

// The caller and, as long as the object lives, the threads beside it. While another caller has
// such, or no worker can be made, the caller is alone. After a fork the child has workers of its
// own.
class Crew {
 public:
  explicit Crew(std::size_t threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  std::size_t size() const { return size_; }

  // Runs task(0), ..., task(count - 1) and returns when all are done. Tasks are begun in their
  // order, so a task may wait for any before it; and for as many after it as there are of the crew
  // to begin them. What the first task throws that does is thrown when all are at rest. While the
  // caller waits for others, it calls `waiting` over and over, unless that is null; it must not
  // throw.
  void run(std::size_t count, const std::function<void(std::size_t)>& task,
           const std::function<void()>* waiting = nullptr);

 private:
  Pool* pool_ = nullptr;
  std::size_t size_ = 1;
};

// Tells the processor that this is a waiting loop, and the system that others may run.
void spin(unsigned round);

}  // namespace unrolled
