// Sets of tuples as nested, sorted intervals: the first field's intervals, below each the set of what may follow. With
// neighbours that are equal below joined, each set has one form (Gouda and Liu, "Firewall Design: Consistency,
// Completeness, and Compactness", ICDCS 2004: firewall decision diagrams; here with the order of the fields fixed).
// What is below is shared and never changes, so a set of 10,000 sources that may all go the same ways costs 10,000
// intervals and one copy of the ways, and an operation looks at each pair of ways once. For packet_set only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace policy::diagram {

template <class Level>
using Pointer = std::shared_ptr<const Level>;  // null: the empty set

struct Everything {};  // below the last field

template <class K, class B>
struct Level {
  using Key = K;
  using Below = B;
  struct Span {
    K first, last;     // inclusive
    Pointer<B> below;  // never null
  };
  std::vector<Span> spans;  // sorted, disjoint, not empty; neighbours that touch differ below
  bool whole = false;       // known to hold everything: then nothing need be looked at
};

inline bool same(const Pointer<Everything>&, const Pointer<Everything>&) {
  return true;
}

template <class L>
bool same(const Pointer<L>& a, const Pointer<L>& b) {
  if (a == b) return true;
  if (!a || !b || a->spans.size() != b->spans.size()) return false;
  return std::equal(a->spans.begin(), a->spans.end(), b->spans.begin(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.last == y.last && same(x.below, y.below);
  });
}

// Puts spans in order behind one another, joining those that continue each other.
template <class L>
class Writer {
 public:
  using Key = typename L::Key;
  void add(Key first, Key last, const Pointer<typename L::Below>& below) {
    if (!below) return;
    if (!made_.spans.empty()) {
      auto& before = made_.spans.back();
      if (before.last + 1 == first && same(before.below, below)) {
        before.last = last;
        return;
      }
    }
    made_.spans.push_back({first, last, below});
  }
  void expect(std::size_t spans) { made_.spans.reserve(spans); }
  Pointer<L> take() { return made_.spans.empty() ? nullptr : std::make_shared<const L>(std::move(made_)); }

 private:
  L made_;
};

enum class Operation : std::uint8_t { kUnion, kIntersection, kDifference };

// One operation over any number of pairs; remembers each pair it has seen, and keeps it alive for that.
template <class L>
class Combiner {
 public:
  explicit Combiner(Operation operation) : operation_(operation), below_(operation) {}

  Pointer<L> of(const Pointer<L>& a, const Pointer<L>& b) {
    if (a == b) return operation_ == Operation::kDifference ? nullptr : a;
    if (!a) return operation_ == Operation::kUnion ? b : nullptr;
    if (!b) return operation_ == Operation::kIntersection ? nullptr : a;
    if (b->whole) return operation_ == Operation::kIntersection ? a : operation_ == Operation::kUnion ? b : nullptr;
    if (a->whole && operation_ != Operation::kDifference) return operation_ == Operation::kIntersection ? b : a;
    // Two that one span each has below it meet once. (One span of the one may meet many of the other.)
    if (a.use_count() == 1 && b.use_count() == 1) return shared(sweep(a->spans, b->spans), a, b);
    const auto [at, fresh] = known_.try_emplace({a.get(), b.get()});
    if (fresh) at->second = {a, b, shared(sweep(a->spans, b->spans), a, b)};
    return at->second.result;
  }

 private:
  using Span = typename L::Span;
  using Spans = std::vector<Span>;
  using Place = typename Spans::const_iterator;
  struct Known {
    Pointer<L> a, b, result;
  };
  struct PairHash {
    std::size_t operator()(const std::pair<const L*, const L*>& pair) const {
      const auto x = reinterpret_cast<std::uintptr_t>(pair.first), y = reinterpret_cast<std::uintptr_t>(pair.second);
      return static_cast<std::size_t>((x * 0x9e3779b97f4a7c15u) ^ (y * 0xc2b2ae3d27d4eb4fu) ^ (x >> 7));
    }
  };

  // What comes out unchanged stays one object: the next operation need not look at it again.
  static Pointer<L> shared(Pointer<L> made, const Pointer<L>& a, const Pointer<L>& b) {
    const auto is = [&made](const Pointer<L>& other) {
      return std::equal(
          made->spans.begin(), made->spans.end(), other->spans.begin(), other->spans.end(),
          [](const Span& x, const Span& y) { return x.first == y.first && x.last == y.last && x.below == y.below; });
    };
    return !made ? made : is(a) ? a : is(b) ? b : made;
  }

  // The first span from `at` that ends at `key` or behind. Doubling steps: a short list against a long one costs its
  // own length times a logarithm, not the sum of both.
  static Place ahead(Place at, Place end, typename L::Key key) {
    std::ptrdiff_t step = 1;
    while (step < end - at && (at + step)->last < key) at += step, step *= 2;
    return std::lower_bound(at, end - at > step ? at + step + 1 : end, key,
                            [](const Span& span, typename L::Key wanted) { return span.last < wanted; });
  }

  Pointer<L> sweep(const Spans& left, const Spans& right) {
    const bool keeps_a = operation_ != Operation::kIntersection, keeps_b = operation_ == Operation::kUnion;
    Writer<L> out;
    out.expect(keeps_b   ? std::max(left.size(), right.size())
               : keeps_a ? left.size()
                         : std::min(left.size(), right.size()));
    Place a = left.begin(), b = right.begin();
    auto a_from = a->first, b_from = b->first;  // what is left of the spans at hand
    const auto step_a = [&] {
      if (++a != left.end()) a_from = a->first;
    };
    const auto step_b = [&] {
      if (++b != right.end()) b_from = b->first;
    };
    while (a != left.end() && b != right.end()) {
      if (a->last < b_from) {
        if (keeps_a) {
          out.add(a_from, a->last, a->below);
          step_a();
        } else if (a = ahead(a, left.end(), b_from); a != left.end()) {
          a_from = a->first;
        }
      } else if (b->last < a_from) {
        if (keeps_b) {
          out.add(b_from, b->last, b->below);
          step_b();
        } else if (b = ahead(b, right.end(), a_from); b != right.end()) {
          b_from = b->first;
        }
      } else {
        if (a_from < b_from && keeps_a) out.add(a_from, b_from - 1, a->below);
        if (b_from < a_from && keeps_b) out.add(b_from, a_from - 1, b->below);
        a_from = b_from = std::max(a_from, b_from);
        const auto last = std::min(a->last, b->last);
        out.add(a_from, last, below_.of(a->below, b->below));
        const bool a_ends = a->last == last, b_ends = b->last == last;
        if (a_ends)
          step_a();
        else
          a_from = last + 1;
        if (b_ends)
          step_b();
        else
          b_from = last + 1;
      }
    }
    for (; keeps_a && a != left.end(); step_a()) out.add(a_from, a->last, a->below);
    for (; keeps_b && b != right.end(); step_b()) out.add(b_from, b->last, b->below);
    return out.take();
  }

  Operation operation_;
  Combiner<typename L::Below> below_;
  std::unordered_map<std::pair<const L*, const L*>, Known, PairHash> known_;
};

template <>
class Combiner<Everything> {
 public:
  explicit Combiner(Operation operation) : operation_(operation) {}
  // Neither is null: the caller has answered what concerns one side alone.
  Pointer<Everything> of(const Pointer<Everything>& a, const Pointer<Everything>&) const {
    return operation_ == Operation::kDifference ? nullptr : a;
  }

 private:
  Operation operation_;
};

// The union of many spans, some of which may overlap: those that follow one another are strung together, what is left
// is united by halves.
template <class L>
Pointer<L> united(const std::vector<typename L::Span>& spans) {
  std::vector<Pointer<L>> runs;
  Writer<L> run;
  run.expect(spans.size());
  bool begun = false;
  typename L::Key last = 0;  // of the run, once begun
  for (const auto& span : spans) {
    if (begun && span.first <= last) runs.push_back(std::exchange(run, {}).take());
    run.add(span.first, span.last, span.below);
    begun = true, last = span.last;
  }
  if (begun) runs.push_back(run.take());
  while (runs.size() > 1) {
    Combiner<L> combiner(Operation::kUnion);
    std::size_t to = 0;
    for (std::size_t from = 0; from < runs.size(); from += 2)
      runs[to++] = from + 1 < runs.size() ? combiner.of(runs[from], runs[from + 1]) : runs[from];
    runs.resize(to);
  }
  return runs.empty() ? nullptr : runs.front();
}

}  // namespace policy::diagram
