#include "threads.h"

#include <pthread.h>
#include <sched.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "layer.h"
#include "openmp.h"

namespace unrolled {

namespace {

constexpr std::chrono::microseconds kSpins(100);  // more than Python needs from call to call
// As long as it takes to sleep and be woken. The tests have threads sleep at once.
#if !defined(UNROLLED_PAUSES)
#define UNROLLED_PAUSES 50
#endif
constexpr std::chrono::microseconds kPauses(UNROLLED_PAUSES);

struct Job {
  Job(const std::function<void(std::size_t)>& all, std::size_t how_many)
      : task(&all), count(how_many) {}

  const std::function<void(std::size_t)>* task;
  std::size_t count;
  std::atomic<std::size_t> next{0}, working{0};
  std::mutex failing;
  std::exception_ptr failure;  // the first

  std::size_t take_next() { return next.fetch_add(1, std::memory_order_acq_rel); }

  void work_from(std::size_t mine) {
    for (; mine < count; mine = take_next()) {
      try {
        (*task)(mine);
      } catch (...) {
        const std::lock_guard lock(failing);
        if (!failure) failure = std::current_exception();
        next.store(count, std::memory_order_relaxed);
      }
    }
  }
};

void wait_for_others(const Job& job, const std::function<void()>* waiting) {
  for (unsigned round = 0; job.working.load(std::memory_order_acquire) != 0; ++round) {
    spin(round);
    if (waiting != nullptr) (*waiting)();
  }
}

// A job in a parallel region of PyTorch's threads.
class Region {
 public:
  Region(const OpenMp& openmp, Job& job, std::size_t threads, const std::function<void()>* waiting)
      : openmp_(openmp), job_(job), threads_(threads), waiting_(waiting) {
    job_.next.store(threads, std::memory_order_relaxed);
  }

  // Whether it was done: not if fewer threads were given this time.
  bool run() {
    openmp_.parallel([](void* region) { static_cast<Region*>(region)->take_part(); }, this,
                     static_cast<unsigned>(threads_), 0);
    return is_done_;
  }

 private:
  // Every thread begins with the task of its number, so that it finds in the cache of its core what
  // it read when the same was run before.
  void take_part() {
    if (std::cmp_less(openmp_.threads_of_region(), threads_)) return;
    const auto number = static_cast<std::size_t>(openmp_.number_of_thread());
    if (number == 0) {
      job_.work_from(0);
      wait_for_others(job_, waiting_);
      is_done_ = true;
    } else {
      job_.working.fetch_add(1, std::memory_order_relaxed);
      job_.work_from(number);
      job_.working.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  const OpenMp& openmp_;
  Job& job_;
  std::size_t threads_;
  const std::function<void()>* waiting_;
  bool is_done_ = false;
};

}  // namespace

class Pool {
 public:
  // Whether there are workers for the caller alone, until `leave`.
  bool take(std::size_t helpers) {
    std::unique_lock owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) return false;
    openmp_ = openmp_of_torch(helpers + 1);
    if (openmp_ == nullptr && !make_workers(helpers)) return false;
    owner.release();
    return true;
  }

  void leave() { owner_.unlock(); }

  void run(std::size_t count, std::size_t helpers, const std::function<void(std::size_t)>& task,
           const std::function<void()>* waiting) {
    Job job(task, count);
    if (openmp_ == nullptr || !Region(*openmp_, job, helpers + 1, waiting).run()) {
      if (!make_workers(helpers)) {
        throw std::runtime_error("PyTorch had " + std::to_string(helpers + 1) +
                                 " threads before and has fewer now, and the system gives no " +
                                 "more; set fewer with torch.set_num_threads");
      }
      job.next.store(0, std::memory_order_relaxed);
      run(job, helpers, waiting);
    }
    if (job.failure) std::rethrow_exception(job.failure);
  }

 private:
  bool make_workers(std::size_t count) {
    try {
      for (; workers_ < count; ++workers_) {
        std::thread([this, number = workers_] { live(number); }).detach();
      }
    } catch (const std::exception&) {  // no more threads or memory to be had
      return false;
    }
    return true;
  }

  void run(Job& job, std::size_t helpers, const std::function<void()>* waiting) {
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      wanted_ = helpers;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    job.work_from(job.take_next());
    {
      // Who has not begun by now is not waited for.
      const std::lock_guard lock(mutex_);
      job_ = nullptr;
    }
    wait_for_others(job, waiting);
  }

  void live(std::size_t number) {
    std::size_t seen = 0;
    for (;;) {
      const auto end = std::chrono::steady_clock::now() + kSpins;
      while (generation_.load(std::memory_order_acquire) == seen) {
        if (std::chrono::steady_clock::now() > end) break;
        for (int i = 0; i < 8; ++i) spin(0);
      }
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        seen = generation_.load(std::memory_order_relaxed);
        if (number < wanted_) job = job_;
        if (job == nullptr) continue;
        job->working.fetch_add(1, std::memory_order_relaxed);
      }
      job->work_from(job->take_next());
      job->working.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  std::mutex owner_, mutex_;
  const OpenMp* openmp_ = nullptr;  // of who has taken it
  std::condition_variable wake_;
  std::atomic<std::size_t> generation_{0};
  Job* job_ = nullptr;
  std::size_t wanted_ = 0;
  std::size_t workers_ = 0;
};

namespace {

Pool* pool = nullptr;  // never destroyed: a thread may still be at work when the process ends
std::once_flag listens_to_forks;
std::mutex making;

Pool& the_pool() {
  std::call_once(listens_to_forks, [] {
    // The child has none of the threads, and its copies of the locks may be held: it leaves the
    // old pool behind and makes one when it needs it.
    pthread_atfork([] { making.lock(); }, [] { making.unlock(); },
                   [] {
                     pool = nullptr;
                     making.unlock();
                   });
  });
  const std::lock_guard lock(making);
  if (pool == nullptr) pool = new Pool;
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

void Crew::run(std::size_t count, const std::function<void(std::size_t)>& task,
               const std::function<void()>* waiting) {
  if (size_ < 2 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) task(i);
    return;
  }
  pool_->run(count, size_ - 1, task, waiting);
}

namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Until all who sleep are woken, or for no reason, unless they were since `wakings` was read.
void sleep(std::atomic<std::uint32_t>& wakings, std::uint32_t before) {
#if defined(__linux__)
  syscall(SYS_futex, &wakings, FUTEX_WAIT_PRIVATE, before, nullptr, nullptr, 0);
#else
  if (wakings.load() == before) sched_yield();
#endif
}

void wake_all(std::atomic<std::uint32_t>& wakings) {
  wakings.fetch_add(1);
#if defined(__linux__)
  syscall(SYS_futex, &wakings, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
#endif
}

}  // namespace

void spin(unsigned round) {
  if (round > 200) {
    sched_yield();
  } else {
    pause();
  }
}

// All of this is in one order that every thread sees, which no weaker one would give: either this
// sees what is awaited, or who awaits it sees these turns before it sleeps.
void announce(Progress& progress, std::size_t turns) {
  progress.turns.store(turns);
  if (turns < progress.awaited.load()) return;
  progress.awaited.store(SIZE_MAX);  // whoever awaits more says so again when it is woken
  wake_all(progress.wakings);
}

// Others may want the processor that the awaited task needs, and get it for milliseconds from one
// who only yields: so it sleeps, and whoever has slept comes first when it is woken.
void await(Progress& progress, std::size_t turns) {
  const auto are_done = [&] { return progress.turns.load() >= turns; };
  const auto pause_until_done = [&](int pauses) {
    for (; pauses > 0 && !are_done(); --pauses) pause();
  };
  pause_until_done(50);  // before the clock is asked
  if (are_done()) return;
  const auto end = std::chrono::steady_clock::now() + kPauses;
  while (!are_done() && std::chrono::steady_clock::now() < end) pause_until_done(20);
  while (!are_done()) {
    const std::uint32_t before = progress.wakings.load();
    std::size_t fewest = progress.awaited.load();
    while (turns < fewest && !progress.awaited.compare_exchange_weak(fewest, turns)) {
    }
    if (!are_done()) sleep(progress.wakings, before);
  }
}

}  // namespace unrolled
