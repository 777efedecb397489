// Bodies of payloads from a hostile peer. The first octet is the payload's type. What is read can be written and read
// again; a choice among proposals was really offered; narrowed selectors are within proposal and policy.
#include "tunnel/ike/explain.h"
#include "tunnel/ike/negotiation.h"
#include "tunnel/ike/payload_auth.h"
#include "tunnel/ike/payload_key.h"
#include "tunnel/ike/payload_notify.h"
#include "tunnel/ike/payload_other.h"
#include "tunnel/ike/selectors.h"
#include "tunnel/wire/require.h"

using namespace tunnel::ike;
using tunnel::wire::ConstBytes;
using tunnel::wire::Prefix;
using tunnel::wire::require;

namespace {

using Octets = std::vector<std::uint8_t>;

template <class Write>
Octets body_of(Write&& write) {
  Octets buffer(1 << 16);
  tunnel::wire::Writer writer(buffer);
  Chain chain(writer);
  write(chain);
  buffer.resize(writer.size());
  buffer.erase(buffer.begin(), buffer.begin() + kGenericHeaderSize);
  return buffer;
}

const Profile& profile(bool strict) {
  static const Profile profiles[] = {profile_at(ProfileName::kCompat, {}, {}),
                                     profile_at(ProfileName::kStrict, {}, {})};
  return profiles[strict];
}

// What the initiator of these proposals would say to our answer.
void check_ike(const std::vector<Proposal>& proposals, const Profile& with, tunnel::crypto::Group sent) {
  const auto choice = choose_ike(proposals, with, sent, false);
  if (!choice) return require(explain(choice.error(), Vendor::kYamahaRtx).size() < 16384);
  require(tunnel::crypto::is_supported(choice->cipher));
  const std::vector<Proposal> answered{answer(*choice, std::nullopt)};
  std::size_t same = 0;
  for (const Proposal& p : proposals) same += p.number == choice->proposal;
  if (same == 1) require(accept_ike(answered, proposals, sent).has_value());
}

void check_esp(const std::vector<Proposal>& proposals, const Profile& with, std::optional<tunnel::crypto::Group> sent) {
  const auto choice = choose_esp(proposals, with, sent, false);
  if (!choice) return require(explain(choice.error(), Vendor::kNecIx).size() < 16384);
  require(choice->peer_spi >= 256 && tunnel::crypto::is_supported(choice->cipher));
  require(choice->group != tunnel::crypto::Group::kNone || !with.pfs_required);
  require(to_string(*choice).size() < 512);
}

void proposals(ConstBytes body) {
  const auto parsed = parse_proposals(body);
  if (!parsed) return;
  require(parsed->size() <= kMaximumProposals);
  bool known = true;  // an attribute we do not know, or a key length of a type without one, is not written again
  for (const Proposal& p : *parsed) {
    require(p.transforms.size() <= kMaximumTransforms);
    for (const Transform& t : p.transforms) known = known && t.understood;
  }
  if (known && !parsed->empty()) {
    const auto again = parse_proposals(body_of([&](Chain& chain) { append(chain, *parsed); }));
    // Unknown protocols were left out: then the numbers have gaps.
    if (again) require(*again == *parsed);
  }
  for (const bool strict : {false, true}) {
    for (const auto sent : {tunnel::crypto::Group::kEcp384, tunnel::crypto::Group::kModp2048}) {
      check_ike(*parsed, profile(strict), sent);
      check_esp(*parsed, profile(strict), sent);
    }
    check_esp(*parsed, profile(strict), std::nullopt);
  }
}

void selectors(ConstBytes body) {
  const auto parsed = parse_selectors(body);
  if (!parsed || parsed->empty()) return;
  const auto again =
      parse_selectors(body_of([&](Chain& chain) { append(chain, PayloadType::kSelectorsInitiator, *parsed); }));
  require(again && *again == *parsed);
  require(is_within(*parsed, *parsed));
  require(to_string(*parsed).size() < 8192);
  static const std::vector<Selector> own{Selector::of(*Prefix::parse("10.1.0.0/24")),
                                         Selector::of(*Prefix::parse("2001:db8:1::/64"))};
  static const std::vector<Prefix> foreign{*Prefix::parse("10.2.0.0/24"), *Prefix::parse("2001:db8:2::/64")};
  const auto result = narrow(*parsed, *parsed, {own, own, foreign});
  if (!result) return;
  require(is_within(result->peer, own) && is_within(result->peer, *parsed));
  require(is_within(result->ours, own) && is_within(result->ours, *parsed));
  for (const Selector& s : result->peer) require(prefixes(s).size() <= 254);
}

void identity(ConstBytes body) {
  const auto parsed = parse_identity(body);
  if (!parsed) return;
  for (const char c : to_string(*parsed)) require(c > 0x20 && c < 0x7f);
}

void others(PayloadType type, ConstBytes body) {
  static_cast<void>(parse_key_exchange(body));
  static_cast<void>(parse_nonce(body));
  static_cast<void>(parse_certificate(body));
  static_cast<void>(parse_certificate_request(body));
  static_cast<void>(parse_configuration(body));
  if (const auto auth = parse_authentication(body)) static_cast<void>(parse_digital_signature(auth->data));
  if (const auto notify = parse_notify(body)) {
    static_cast<void>(wanted_group(*notify));
    static_cast<void>(hash_algorithms(*notify));
    require(std::ranges::equal(body_of([&](Chain& chain) { append(chain, *notify); }), body));
  }
  const auto deleted = parse_delete(body);
  if (!deleted || type != PayloadType::kDelete) return;
  require(deleted->spis.size() * 4 <= body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 16384) return 0;
  const PayloadType type{data[0]};
  const ConstBytes body(data + 1, size - 1);
  if (type == PayloadType::kSa) {
    proposals(body);
  } else if (type == PayloadType::kSelectorsInitiator) {
    selectors(body);
  } else if (type == PayloadType::kIdInitiator) {
    identity(body);
  } else {
    others(type, body);
  }
  return 0;
}
