// The fragment table against a model of the kernel's queue: whatever one facility sends, what the table lets pass never
// fills more of the queue than is the facility's share, and what is finished is finished in both.
#include "gateway/core/fragments.h"

#include <catch2/catch.hpp>

#include <bit>
#include <map>
#include <random>
#include <set>

using config::value::Instant;
using config::value::IpAddress;
using gateway::core::Fragment;
using gateway::core::FragmentTable;
using gateway::core::InnerPacketView;
using gateway::core::Refusal;

namespace {

using namespace std::chrono_literals;

// Of ip_fragment.c and nf_conntrack_reasm.c what counts here: memory, completeness, time.
class KernelQueue {
 public:
  void take(const InnerPacketView& view, Instant now) {
    Held& held = held_[{view.is_v4(), view.fragment_id}];
    if (held.pieces.empty()) held.expires = now + (view.is_v4() ? 30s : 60s);
    held.memory += 256 + std::bit_ceil(view.total_length + std::size_t{400});
    for (std::uint32_t at = view.fragment_offset; at < view.fragment_end(); at += 8)
      REQUIRE(held.pieces.insert(at).second);
    if (!view.more_fragments) held.end = view.fragment_end();
    if (held.end == 0 || held.pieces.size() != (held.end + 7) / 8) return;
    held_.erase({view.is_v4(), view.fragment_id});
    ++finished;
  }
  void expire(Instant now) {
    std::erase_if(held_, [now](const auto& each) { return each.second.expires <= now; });
  }
  [[nodiscard]] std::size_t memory() const {
    std::size_t sum = 0;
    for (const auto& [key, held] : held_) sum += held.memory;
    return sum;
  }
  [[nodiscard]] std::size_t size() const { return held_.size(); }
  std::size_t finished = 0;

 private:
  struct Held {
    std::set<std::uint32_t> pieces;
    Instant expires{};
    std::size_t memory = 0;
    std::uint32_t end = 0;
  };
  std::map<std::pair<bool, std::uint32_t>, Held> held_;
};

InnerPacketView random_fragment(std::mt19937& random, unsigned ids) {
  InnerPacketView view;
  const bool v4 = random() % 2 == 0;
  view.flow.source = v4 ? IpAddress::v4({10, 1, 0, 7}) : IpAddress::v6({0xfd});
  view.flow.destination = v4 ? IpAddress::v4({10, 80, 0, 10}) : IpAddress::v6({0xfd, 1});
  view.flow.protocol = 17;
  view.fragment_id = static_cast<std::uint32_t>(random() % ids);
  view.transport_offset = v4 ? 20 : 48;
  const auto payload = static_cast<std::uint32_t>(random() % 3 + 1) * 480;
  view.fragment_offset = random() % 3 == 0 ? 0 : static_cast<std::uint32_t>(random() % 4) * 480;
  view.more_fragments = view.fragment_offset == 0 || random() % 3 != 0;
  view.fragment = view.fragment_offset == 0 ? Fragment::kFirst : Fragment::kLater;
  view.total_length = static_cast<std::uint16_t>(view.transport_offset + payload);
  return view;
}

}  // namespace

TEST_CASE("fragments: no facility fills the kernel's queue beyond its share", "[fragments]") {
  std::mt19937 random(7);
  std::size_t finished = 0, refused = 0, largest = 0;
  for (int round = 0; round < 40; ++round) {
    FragmentTable table;
    KernelQueue kernel;
    Instant now{1000s};
    const unsigned ids = round % 2 == 0 ? 6 : 200;
    for (int step = 0; step < 3000; ++step) {
      now += std::chrono::milliseconds(random() % 100);
      kernel.expire(now);
      InnerPacketView view = random_fragment(random, ids);
      const bool first = view.fragment == Fragment::kFirst;
      const Refusal verdict = first ? table.remember(0, view, now) : table.complete(0, view, now);
      refused += verdict == Refusal::kFragmentLimit;
      if (verdict == Refusal::kNone) kernel.take(view, now);
      largest = std::max(largest, kernel.memory());
      REQUIRE(kernel.memory() <= FragmentTable::kMemoryPerOwner);
      REQUIRE(kernel.size() <= FragmentTable::kDatagramsPerOwner);
    }
    finished += kernel.finished;
  }
  CHECK(finished > 100);  // it was not all refused
  CHECK(refused > 100);   // and not all admitted
  CHECK(largest > 0);
}

TEST_CASE("fragments: the queue's memory holds eight facilities that do their worst", "[fragments]") {
  constexpr std::size_t kIpfragHighThresh = 4 << 20;  // Linux, net.ipv4.ipfrag_high_thresh
  CHECK(8 * FragmentTable::kMemoryPerOwner <= kIpfragHighThresh);
  for (std::size_t length = 21; length <= 9000; ++length)  // memory_of() is an upper bound of skb->truesize
    REQUIRE(FragmentTable::memory_of(length) >= 256 + std::bit_ceil(length + std::size_t{400}));
}
