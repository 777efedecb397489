// Real sockets and a TUN device (tunnel_io.h) around tunnel::ike::Endpoint, for the lab and bench: one peer, one
// preshared key, which stands in this process (the gateway's is at keyd). Prints one line an event; ends on SIGTERM or
// end of input.
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include <sodium.h>

#include "gateway/os/outside_socket.h"
#include "tests/lab/tunnel_io.h"
#include "tunnel/ike/authentication.h"
#include "tunnel/ike/endpoint.h"
#include "tunnel/ike/key_material.h"

namespace {

using namespace std::chrono_literals;
using namespace tunnel;
using config::value::Instant;
using config::value::WallTime;
using lab::die;

class SystemRng : public crypto::Rng {
 public:
  void fill(std::span<std::uint8_t> out) override { randombytes_buf(out.data(), out.size()); }
};

Instant now() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return Instant(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

// An address, "dn:CN=router, O=Lab" or a name.
ike::IdentityValue identity(const std::string& text) {
  if (text.starts_with("dn:")) {
    const auto name = crypto::DistinguishedName::parse_text(std::string_view(text).substr(3));
    if (!name) die(name.error().what.c_str());
    return {ike::IdType::kDn, name->der()};
  }
  if (const auto address = wire::IpAddress::parse(text))
    return {address->is_v4() ? ike::IdType::kIpv4 : ike::IdType::kIpv6,
            {address->octets().begin(), address->octets().end()}};
  return {ike::IdType::kFqdn, {text.begin(), text.end()}};
}

std::vector<wire::Prefix> prefixes(const std::string& text) {
  std::vector<wire::Prefix> list;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    list.push_back(*wire::Prefix::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return list;
}

class Shell {
 public:
  explicit Shell(std::map<std::string, std::string> options) : options_(std::move(options)) {
    local_ = *wire::IpAddress::parse(options_["local"]);
    ike::EndpointParams params;
    params.doors = doors();
    params.addresses = {local_};
    params.wall_now = WallTime(std::chrono::seconds(time(nullptr)));
    if (options_.contains("fragment")) params.fragment_size = std::stoul(options_["fragment"]);
    if (options_.contains("cookies")) params.admission.cookies_from = 0;
    endpoint_ = std::make_unique<ike::Endpoint>(params, rng_, now());
    bind_sockets();
    if (options_.contains("tun")) io_.open_tun(options_["tun"]);
#ifdef SEKISHO_FAULTS
    ike::Faults faults;
    if (options_.contains("tell-keys"))
      faults.tell_keys = [](const std::string& line) { std::printf("key %s\n", line.c_str()); };
    endpoint_->set_faults(faults);
#endif
    endpoint_->set_peer(peer(), now(), out_);
    flush();
  }

  static ike::Profile profile(const std::string& text) {
    const auto name = text == "strict" ? ike::ProfileName::kStrict : ike::ProfileName::kCompat;
    return ike::profile_at(name, {}, WallTime(std::chrono::seconds(time(nullptr))));
  }

  void run() {
    for (;;) {
      const bool said = io_.wait(patience());
      const auto flush_all = [this] { flush(); };
      io_.serve_sockets([this](const wire::OuterDatagram& it) { endpoint_->receive(it, now(), out_); }, flush_all);
      io_.serve_tun(
          out_.arena, [this](wire::Bytes it) { endpoint_->send({{1}, it, {}, true}, now(), out_); }, flush_all);
      if (said && !command()) return;
      endpoint_->on_deadline(now(), out_);
      flush();
    }
  }

 private:
  // In the order of the sockets. With "esp", protocol 50 as well.
  std::vector<ike::Door> doors() const {
    using Kind = ike::Door::Kind;
    const auto family = local_.family();
    std::vector<ike::Door> all{{0, family, 500, Kind::kPlain, {}}, {1, family, 4500, Kind::kNat, {}}};
    if (options_.contains("esp")) all.push_back({2, family, 0, Kind::kEsp, {}});
    return all;
  }

  void bind_sockets() {
    io_.close_sockets();
    for (const auto& door : doors()) {
      auto bound = door.kind == ike::Door::Kind::kEsp ? gateway::os::bind_outside_esp(local_)
                                                      : gateway::os::bind_outside({local_, door.port});
      if (!bound) die(bound.error().to_string().c_str());
      io_.add_socket(std::move(*bound), {local_, door.port});
    }
  }

  ike::PeerParams peer() {
    ike::PeerParams params;
    params.id = {1};
    params.local_id = identity(options_["own-id"]);
    params.remote_id = identity(options_["peer-id"]);
    params.preshared_key = "psk";
    if (options_.contains("ppk")) params.ppk = ike::PpkParams{"ppk.example", "ppk", options_.contains("ppk-required")};
    if (options_.contains("cert")) params.certificate = certificate();
    if (options_.contains("remote")) params.endpoint = {*wire::IpAddress::parse(options_["remote"]), 500};
    params.start = options_.contains("start");
    params.local_networks = prefixes(options_["ours"]);
    params.remote_networks = prefixes(options_["theirs"]);
    params.profile = profile(options_["profile"]);
    params.profile.preshared_key = true;
    if (options_.contains("suite")) keep_suite(params.profile, options_["suite"]);
    if (options_.contains("liveness"))
      params.lifetimes.liveness = std::chrono::seconds(std::stoi(options_["liveness"]));
    const auto life = [&](const char* option, tunnel::wire::Duration& of) {
      const double seconds = options_.contains(option) ? std::stod(options_[option]) : 0;
      if (seconds > 0) of = std::chrono::duration_cast<tunnel::wire::Duration>(std::chrono::duration<double>(seconds));
    };
    life("ike-life", params.lifetimes.ike);
    life("child-life", params.lifetimes.child);
    life("rekey-margin", params.lifetimes.margin);
    return params;
  }

  // Of ESP alone: "ENCRYPTION BITS INTEGRITY" in the registry's numbers, as `list` prints them.
  static void keep_suite(ike::Profile& profile, const std::string& text) {
    int encryption = 0, bits = 0, integrity = 0;
    std::sscanf(text.c_str(), "%d %d %d", &encryption, &bits, &integrity);
    std::erase_if(profile.esp, [&](const crypto::CipherSuite& suite) {
      return static_cast<int>(suite.encryption) != encryption || suite.key_bits != bits ||
             static_cast<int>(suite.integrity) != integrity;
    });
    if (profile.esp.empty()) die("no such suite in the profile");
  }

  ike::CertificateAuthentication certificate() {
    ike::CertificateAuthentication own;
    own.key = "own";
    signing_ = crypto::SigningKey::parse_pem(file(options_["key"]));
    const auto chain = crypto::Certificate::parse_pem(file(options_["cert"]));
    const auto authorities = crypto::Certificate::parse_pem(file(options_["ca"]));
    if (!signing_ || !chain || !authorities) die("certificates");
    own.schemes = signing_->schemes();
    for (const auto& one : *chain) own.chain.push_back(one.der());
    auto trust = std::make_shared<crypto::CertificateTrust>();
    for (const auto& one : *authorities) trust->add_authority(one), own.authorities.push_back(one.authority_hash());
    own.revocation = options_.contains("crl") ? crypto::Revocation::kRequired : crypto::Revocation::kNotChecked;
    if (options_.contains("crl") && !trust->add_revocation_list(file(options_["crl"]))) die("crl");
    own.trust = trust;
    return own;
  }

  static std::vector<std::uint8_t> file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  int patience() const {
    const auto next = endpoint_->next_deadline();
    if (!next) return -1;
    return static_cast<int>(std::max(0L, std::chrono::ceil<std::chrono::milliseconds>(*next - now()).count()));
  }

  // "show": the counters; "remove": the peer is taken away; "move ADDRESS": our own address is another now.
  bool command() {
    std::array<char, 256> text{};
    const ssize_t size = read(0, text.data(), text.size());
    if (size <= 0) return false;
    const std::string word(text.data(), static_cast<std::size_t>(size));
    if (word.starts_with("remove")) endpoint_->remove_peer({1}, now(), out_);
    if (word.starts_with("show")) show();
    if (word.starts_with("move ")) move(*wire::IpAddress::parse(word.substr(5, word.find('\n') - 5)));
    return true;
  }

  void move(const wire::IpAddress& address) {
    local_ = address;
    bind_sockets();
    endpoint_->set_doors(doors(), {local_});
  }

  void show() {
    const auto counters = endpoint_->counters({1});
    if (!counters) return void(std::printf("none\n"));
    std::printf("show up=%d ike=%zu child=%zu in=%lu out=%lu sas=%zu ppk=%d\n", counters->up, counters->ike_sas,
                counters->child_sas, counters->received_packets, counters->sent_packets, endpoint_->ike_sas(),
                counters->negotiated.ends_with("; PPK"));
  }

  void flush() {
    for (;;) {
      io_.transmit(out_.transmits);
      io_.deliver(out_.deliveries);
      for (const auto& e : out_.events)
        std::printf("event %d %s | %s\n", static_cast<int>(e.kind), e.path.remote.to_string().c_str(),
                    e.detail.c_str());
      for (std::size_t i = 0; i < out_.drops.count.size(); ++i)
        if (out_.drops.count[i] > 0) std::printf("drop %zu x%lu\n", i, out_.drops.count[i]);
      std::fflush(stdout);
      const std::vector<wire::KeyRequest> requests = std::move(out_.key_requests);
      out_.clear();
      if (requests.empty()) return;
      for (const auto& request : requests) endpoint_->on_key_reply(answer(request), now(), out_);
    }
  }

  wire::KeyReply answer(const wire::KeyRequest& request) {
    wire::KeyReply reply;
    reply.id = request.id;
    if (request.operation == wire::KeyRequest::Operation::kSign) {
      const auto signature = signing_->sign(static_cast<crypto::SignatureScheme>(request.scheme), request.octets);
      reply.good = signature.has_value();
      reply.octets = signature.value_or(std::vector<std::uint8_t>{});
      return reply;
    }
    if (request.operation == wire::KeyRequest::Operation::kIkePpk) {
      const std::string& ppk = options_["ppk"];
      const auto mixed = ike::mix_ppk(static_cast<crypto::Prf>(request.prf),
                                      {reinterpret_cast<const std::uint8_t*>(ppk.data()), ppk.size()}, request.secrets);
      reply.secrets.assign(mixed.expose().begin(), mixed.expose().end());
      reply.good = true;
      return reply;
    }
    const std::string& psk = options_["psk"];
    const auto mac =
        ike::psk_authentication(static_cast<crypto::Prf>(request.prf),
                                {reinterpret_cast<const std::uint8_t*>(psk.data()), psk.size()}, request.octets);
    std::ranges::copy(mac.expose(), reply.output.fill().begin());
    reply.good = true;
    return reply;
  }

  std::map<std::string, std::string> options_;
  SystemRng rng_;
  wire::IpAddress local_;
  std::unique_ptr<ike::Endpoint> endpoint_;
  wire::Outputs out_;
  lab::TunnelIo io_;
  std::optional<crypto::SigningKey> signing_;
};

// Of a profile, one line each, in the registry's numbers: "ike ENCRYPTION BITS INTEGRITY", "esp ...", "prf N", "group
// N".
void list(const ike::Profile& profile) {
  const auto suites = [](const char* what, const std::vector<crypto::CipherSuite>& all) {
    for (const auto& suite : all)
      std::printf("%s %d %d %d\n", what, static_cast<int>(suite.encryption), static_cast<int>(suite.key_bits),
                  static_cast<int>(suite.integrity));
  };
  suites("ike", profile.ike);
  suites("esp", profile.esp);
  for (const auto prf : profile.prfs) std::printf("prf %d\n", static_cast<int>(prf));
  for (const auto group : profile.groups) std::printf("group %d\n", static_cast<int>(group));
}

}  // namespace

int main(int argc, char** argv) {
  if (sodium_init() < 0) return 2;
  std::map<std::string, std::string> options;  // key=value
  for (int i = 1; i < argc; ++i) {
    const std::string word(argv[i]);
    const std::size_t equals = word.find('=');
    options[word.substr(0, equals)] = equals == std::string::npos ? "" : word.substr(equals + 1);
  }
  if (options.contains("list")) return list(Shell::profile(options["list"])), 0;
  Shell(std::move(options)).run();
}
