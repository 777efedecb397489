// RFC 7383 2.5 (cutting), 2.6 (joining).
#include "tunnel/ike/fragments.h"

#include <algorithm>

namespace tunnel::ike {
namespace {

using Datagrams = std::vector<std::vector<std::uint8_t>>;

// Octets of content one fragment of `limit` octets can carry; 0: none.
std::size_t capacity(const crypto::CipherSuite& suite, std::size_t limit) {
  const std::size_t block = crypto::block_size(suite);
  const std::size_t around = kHeaderSize + kGenericHeaderSize + kFragmentHeaderSize + crypto::explicit_iv_size(suite) +
                             crypto::tag_size(suite);
  if (limit <= around + 1) return 0;
  const std::size_t text = (limit - around) / block * block;  // with the pad length octet
  return text == 0 ? 0 : text - 1;
}

std::vector<std::uint8_t> sealed(const Header& header, const Content& content,
                                 const std::optional<FragmentHeader>& fragment, SendingCipher& sender,
                                 crypto::Rng& rng) {
  std::vector<std::uint8_t> datagram(sealed_size(sender.cipher.suite(), content.octets.size(), fragment.has_value()));
  wire::Writer writer(datagram);
  seal(writer, header, content, fragment, sender, rng);
  return datagram;
}

bool in_range(const FragmentHeader& fragment) {
  return fragment.number >= 1 && fragment.number <= fragment.total && fragment.total <= kMaximumFragments;
}

}  // namespace

std::optional<Datagrams> seal_message(const Header& header, const Content& content, std::optional<std::size_t> limit,
                                      SendingCipher& sender, crypto::Rng& rng) {
  const crypto::CipherSuite& suite = sender.cipher.suite();
  const std::size_t whole = sealed_size(suite, content.octets.size(), false);
  Datagrams datagrams;
  if (!limit || whole <= *limit) {
    if (whole - kHeaderSize > UINT16_MAX) return std::nullopt;
    datagrams.push_back(sealed(header, content, std::nullopt, sender, rng));
    return datagrams;
  }
  const std::size_t piece = std::min<std::size_t>(capacity(suite, *limit), INT16_MAX);
  if (piece == 0) return std::nullopt;
  const std::size_t total = (content.octets.size() + piece - 1) / piece;
  if (total > kMaximumFragments || total == 0) return std::nullopt;
  for (std::size_t i = 0; i < total; ++i) {
    const wire::ConstBytes rest = content.octets.subspan(i * piece);
    // RFC 7383 2.5: the type of the first payload stands in the first fragment only.
    const Content part{i == 0 ? content.first : PayloadType::kNone, rest.first(std::min(piece, rest.size()))};
    const FragmentHeader fragment{static_cast<std::uint16_t>(i + 1), static_cast<std::uint16_t>(total)};
    datagrams.push_back(sealed(header, part, fragment, sender, rng));
  }
  return datagrams;
}

bool Joiner::wants(std::uint32_t message_id, const FragmentHeader& fragment) const {
  if (!in_range(fragment)) return false;
  if (total_ == 0 || message_id != message_id_ || fragment.total > total_) return true;
  // RFC 7383 2.6: a smaller total is an older cut of the same message.
  return fragment.total == total_ && !pieces_[fragment.number - 1u];
}

Joiner::Step Joiner::add(std::uint32_t message_id, const Opened& opened) {
  if (!opened.fragment || !wants(message_id, *opened.fragment)) return Step::kIgnored;
  const auto [number, total] = *opened.fragment;
  if (message_id != message_id_ || total != total_) {
    clear();
    message_id_ = message_id;
    total_ = total;
    pieces_.resize(total);
  }
  const wire::ConstBytes octets = opened.content.octets;
  if (octets_ + octets.size() > kMaximumJoined) {
    clear();
    return Step::kIgnored;
  }
  pieces_[number - 1u].emplace(octets.begin(), octets.end());
  octets_ += octets.size();
  if (number == 1) first_ = opened.content.first;
  if (++kept_ < total_) return Step::kKept;
  join();
  return Step::kComplete;
}

void Joiner::join() {
  joined_.reserve(octets_);
  for (const auto& piece : pieces_) joined_.insert(joined_.end(), piece->begin(), piece->end());
  pieces_.clear();
  total_ = 0;
}

void Joiner::clear() {
  *this = {};
}

}  // namespace tunnel::ike
