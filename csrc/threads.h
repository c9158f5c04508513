// The worker pool: threads that spin for a moment after their work and then sleep.
#pragma once

#include <cstddef>
#include <functional>

namespace unrolled {

// Runs task(0), ..., task(count - 1) on at most `threads` threads, the caller among them, and
// returns when all are done. Tasks are begun in their order, so a task may wait for any before it.
// While another caller has the workers, this one does its tasks alone. After a fork the child has
// a pool of its own.
void in_parallel(std::size_t count, std::size_t threads,
                 const std::function<void(std::size_t)>& task);

// Tells the processor that this is a waiting loop, and the system that others may run.
void spin(unsigned round);

}  // namespace unrolled
