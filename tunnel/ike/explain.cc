// The settings' names come from the vendors' manuals (requirements 6).
#include "tunnel/ike/explain.h"

#include <algorithm>
#include <array>

namespace tunnel::ike {
namespace {

using enum TransformType;
using Reason = NegotiationFailure::Reason;

struct Settings {
  std::string_view encryption, integrity, prf, group;
};
struct VendorRow {
  Vendor vendor;
  std::string_view name;
  Settings ike, esp;
};

constexpr auto kVendors = std::to_array<VendorRow>({
    {Vendor::kYamahaRtx,
     "yamaha-rtx",
     {"ipsec ike encryption", "ipsec ike hash", "ipsec ike hash", "ipsec ike group"},
     {"ipsec sa policy", "ipsec sa policy", "", "ipsec ike pfs, ipsec ike group"}},
    {Vendor::kNecIx,
     "nec-ix",
     {"ikev2 sa-proposal enc", "ikev2 sa-proposal integrity", "ikev2 sa-proposal prf", "ikev2 sa-proposal dh"},
     {"ikev2 child-proposal enc", "ikev2 child-proposal integrity", "", "ikev2 child-pfs"}},
    {Vendor::kCiscoIosXe,
     "cisco-ios-xe",
     {"crypto ikev2 proposal: encryption", "crypto ikev2 proposal: integrity", "crypto ikev2 proposal: prf",
      "crypto ikev2 proposal: group"},
     {"crypto ipsec transform-set", "crypto ipsec transform-set", "", "crypto ipsec profile: set pfs"}},
    {Vendor::kFortigate,
     "fortigate",
     {"phase1-interface: set proposal", "phase1-interface: set proposal", "phase1-interface: set proposal",
      "phase1-interface: set dhgrp"},
     {"phase2-interface: set proposal", "phase2-interface: set proposal", "", "phase2-interface: set pfs, set dhgrp"}},
    {Vendor::kAlliedWarePlus,
     "alliedware-plus",
     {"crypto isakmp profile: transform ... encryption", "crypto isakmp profile: transform ... integrity",
      "crypto isakmp profile: transform ... integrity", "crypto isakmp profile: transform ... group"},
     {"crypto ipsec profile: transform ... encryption", "crypto ipsec profile: transform ... integrity", "",
      "crypto ipsec profile: pfs"}},
    {Vendor::kStrongSwan,
     "strongswan",
     {"proposals", "proposals", "proposals", "proposals"},
     {"children.NAME.esp_proposals", "children.NAME.esp_proposals", "", "children.NAME.esp_proposals"}},
});

std::string_view setting(const Settings& settings, TransformType type) {
  switch (type) {
    case kEncryption:
      return settings.encryption;
    case kIntegrity:
      return settings.integrity;
    case kPrf:
      return settings.prf;
    case kKeyExchange:
      return settings.group;
    case kSequenceNumbers:
      break;
  }
  return "";
}

std::string_view name(Protocol protocol) {
  return protocol == Protocol::kIke ? "IKE SA" : "ESP (CHILD SA)";
}

std::string listed(std::span<const std::string> names, std::string_view when_empty) {
  std::string text;
  for (const std::string& n : names) text += (text.empty() ? "" : ", ") + n;
  return text.empty() ? std::string(when_empty) : text;
}

std::string_view word(TransformType type, Protocol protocol) {
  return type == kKeyExchange && protocol == Protocol::kEsp ? "PFS group" : name(type);
}

std::string gap_line(const Gap& gap, Protocol protocol, Vendor vendor) {
  std::string line = "change " + std::string(word(gap.type, protocol)) + ": offered " + listed(gap.offered, "none") +
                     "; accepted " + listed(gap.accepted, "none");
  const std::string_view where = setting(vendor, protocol, gap.type);
  if (!where.empty()) line += "; the router's setting: " + std::string(where);
  return line + "\n";
}

std::string mismatch_text(const Mismatch& mismatch, Vendor vendor) {
  std::string text = std::string(name(mismatch.protocol)) + ": nothing the router offers is allowed by " +
                     std::string(name(mismatch.profile)) + "\n";
  for (const std::string& line : mismatch.offered) text += "offered " + line + "\n";
  if (mismatch.proposals > mismatch.offered.size()) {
    text += "and " + std::to_string(mismatch.proposals - mismatch.offered.size()) + " more proposals\n";
  }
  if (mismatch.nearest == 0) return text + "no proposal for " + std::string(name(mismatch.protocol)) + " among them\n";
  text += "nearest: proposal " + std::to_string(mismatch.nearest) + "\n";
  for (const Gap& gap : mismatch.gaps) text += gap_line(gap, mismatch.protocol, vendor);
  if (mismatch.gaps.empty()) text += "its algorithms are fine; its SPI or a type of transform we do not have is not\n";
  return text;
}

std::string group_name(crypto::Group group) {
  return name(transform(group));
}

}  // namespace

std::optional<Vendor> vendor_named(std::string_view text) {
  const auto found = std::ranges::find(kVendors, text, &VendorRow::name);
  return found == kVendors.end() ? std::nullopt : std::optional(found->vendor);
}

std::string_view setting(Vendor vendor, Protocol protocol, TransformType type) {
  const auto found = std::ranges::find(kVendors, vendor, &VendorRow::vendor);
  if (found == kVendors.end()) return "";
  return setting(protocol == Protocol::kIke ? found->ike : found->esp, type);
}

std::string explain(const NegotiationFailure& failure, Vendor vendor) {
  switch (failure.reason) {
    case Reason::kNoProposal:
      return mismatch_text(failure.mismatch, vendor);
    case Reason::kInvalidKe:
      return "the proposals are fine; the router began with another group and was asked for " +
             group_name(failure.group) + "\n";
    case Reason::kMissingKe:
      return "the router proposes group " + group_name(failure.group) + " but sent no public value\n";
    case Reason::kWrongAnswer:
      break;
  }
  return "the router's answer is not one of our proposals\n";
}

std::string explain(const SelectorRefusal& refusal, std::span<const Selector> peer, std::span<const Selector> ours,
                    const SelectorPolicy& policy) {
  const bool foreign = refusal.reason == SelectorRefusal::Reason::kForeign;
  std::string text = foreign && refusal.offender
                         ? "traffic selectors: " + to_string(*refusal.offender) +
                               (refusal.on_peer_side ? " on the router's side" : " on our side") +
                               " belongs to another facility\n"
                         : std::string("traffic selectors: nothing in common with what is allowed\n");
  text += "the router's side: offered " + to_string(peer) + "; allowed " + to_string(policy.peer) + "\n";
  text += "our side: offered " + to_string(ours) + "; allowed " + to_string(policy.ours) + "\n";
  return text;
}

}  // namespace tunnel::ike
