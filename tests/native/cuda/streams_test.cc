// The orders in which the emulation may do what it is asked for.
#include "cuda/emulation/streams.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace gatun::cuda::emulation {
namespace {

struct Log {
  std::string text;
  Streams::Work note(char letter) {
    return [this, letter] { text += letter; };
  }
};

// Capitals compute; of the copies a and b only a is waited for.
std::string order_of(Streams::Order order, bool forgets_joins) {
  Log log;
  Streams streams(order, forgets_joins);
  streams.compute(log.note('A'));
  streams.copy(log.note('a'));
  streams.join();
  streams.compute(log.note('B'));
  streams.copy(log.note('b'));
  log.text += '|';
  streams.finish();
  log.text += '|';
  streams.finish_copies();
  return log.text;
}

TEST(EmulatedStreams, DoCopiesAsLateOrAsEarlyAsTheyMay) {
  EXPECT_EQ(order_of(Streams::Order::COPIES_LATE, false), "|AaB|b");
  EXPECT_EQ(order_of(Streams::Order::COPIES_EARLY, false), "ab|AB|");
}

TEST(EmulatedStreams, ShowAJoinThatIsForgotten) {
  EXPECT_EQ(order_of(Streams::Order::COPIES_LATE, true), "|AB|ab");
}

TEST(EmulatedStreams, DropWhatComesAfterAFailure) {
  Log log;
  Streams streams(Streams::Order::COPIES_LATE, false);
  streams.compute([] { throw std::runtime_error("broken"); });
  streams.compute(log.note('A'));
  EXPECT_THROW(streams.finish(), std::runtime_error);
  streams.compute(log.note('B'));
  streams.finish();
  EXPECT_EQ(log.text, "B");
}

}  // namespace
}  // namespace gatun::cuda::emulation
