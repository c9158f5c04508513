#include "threads.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "layer.h"

namespace unrolled {

namespace {

constexpr unsigned kSpins = 2000;  // some tens of microseconds: as long as Python needs for a step

struct Job {
  const std::function<void(std::size_t)>* task;
  std::size_t count;
  std::atomic<std::size_t> next{0}, working{0};

  void work() {
    for (;;) {
      const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
      if (mine >= count) return;
      (*task)(mine);
    }
  }
};

}  // namespace

class Pool {
 public:
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  // Whether there are workers for the caller alone, until `leave`.
  bool take(std::size_t helpers) {
    if (!owner_.try_lock()) return false;
    try {
      while (workers_.size() < helpers) {
        workers_.emplace_back([this, number = workers_.size()] { live(number); });
      }
    } catch (const std::system_error&) {  // no more threads to be had
      owner_.unlock();
      return false;
    }
    return true;
  }

  void leave() { owner_.unlock(); }

  void run(std::size_t count, std::size_t helpers, const std::function<void(std::size_t)>& task) {
    Job job{&task, count};
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      wanted_ = helpers;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    job.work();
    {
      // Who has not begun by now is not waited for.
      const std::lock_guard lock(mutex_);
      job_ = nullptr;
    }
    for (unsigned round = 0; job.working.load(std::memory_order_acquire) != 0; ++round) spin(round);
  }

 private:
  void live(std::size_t number) {
    std::size_t seen = 0;
    for (;;) {
      for (unsigned round = 0; round < kSpins; ++round) {
        if (generation_.load(std::memory_order_acquire) != seen) break;
        spin(0);
      }
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        seen = generation_.load(std::memory_order_relaxed);
        if (over_) return;
        if (number < wanted_) job = job_;
        if (job == nullptr) continue;
        job->working.fetch_add(1, std::memory_order_relaxed);
      }
      job->work();
      job->working.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  std::mutex owner_, mutex_;
  std::condition_variable wake_;
  std::atomic<std::size_t> generation_{0};
  Job* job_ = nullptr;
  std::size_t wanted_ = 0;
  bool over_ = false;
  std::vector<std::thread> workers_;
};

namespace {

std::unique_ptr<Pool> pool;
std::once_flag listens_to_forks;
std::mutex making;

Pool& the_pool() {
  std::call_once(listens_to_forks, [] {
    // The child has none of the threads, and its copies of the locks may be held: it leaves the
    // old pool behind and makes one when it needs it.
    pthread_atfork([] { making.lock(); }, [] { making.unlock(); },
                   [] {
                     (void)pool.release();
                     making.unlock();
                   });
  });
  const std::lock_guard lock(making);
  if (!pool) pool = std::make_unique<Pool>();
  return *pool;
}

}  // namespace

Crew::Crew(std::size_t threads) {
  if (threads < 2) return;
  Pool& all = the_pool();
  if (!all.take(threads - 1)) return;
  pool_ = &all;
  size_ = threads;
}

Crew::~Crew() {
  if (pool_ != nullptr) pool_->leave();
}

void Crew::run(std::size_t count, const std::function<void(std::size_t)>& task) {
  if (size_ < 2 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) task(i);
    return;
  }
  pool_->run(count, size_ - 1, task);
}

void spin(unsigned round) {
  if (round > 200) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void await(const Progress& progress, std::size_t turns) {
  for (unsigned round = 0; progress.turns.load(std::memory_order_acquire) < turns; ++round) {
    spin(round);
  }
}

}  // namespace unrolled
