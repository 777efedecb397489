// The table `inet sekisho` as netd keeps it: what was installed, what must be, and the transaction between.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "firewall/listing.h"
#include "firewall/rule_set.h"
#include "gateway/daemon/netd_listing.h"
#include "gateway/os/forked_worker.h"
#include "gateway/os/nftables_table.h"

namespace gateway::daemon {

class NetdRules {
 public:
  // How what the table holds differs from what it must, as it is read back.
  using Differences =
      std::function<os::OsResult<std::vector<std::string>>(os::NftablesTable&, const firewall::RuleSet&)>;
  // Owns the table: creates it, or adopts the one a dead netd left, with its content.
  [[nodiscard]] static os::OsResult<NetdRules> open(Differences read = listed_differences);

  // True when the table has no chain at all: nothing protects, so the closed set must be installed at once.
  [[nodiscard]] os::OsResult<bool> empty();
  // One transaction, then read back and compared: at once, or where there are so many elements that a listing takes
  // seconds, by confirm() in a process beside this one. On error the kernel holds what it held, except that a failed
  // comparison is an error too, and then the next install() replaces everything.
  [[nodiscard]] os::OsResult<void> install(firewall::RuleSet wanted);
  // Takes those elements of `sets` away that are there, in one transaction of milliseconds, whatever else the table
  // holds. The error: nothing was changed, or the table is uncertain().
  [[nodiscard]] os::OsResult<void> take_away(const std::vector<firewall::Set>& sets);
  // Puts back what was last installed where a stranger changed it. `surely`: a stranger's transaction touched the
  // table, so that even what the listing cannot tell apart is replaced. The differences found; nothing installed yet:
  // none.
  [[nodiscard]] os::OsResult<std::vector<std::string>> repair(bool surely);
  // Reads back what was put there and not read back yet, once. To be called now and then.
  void confirm();
  // The kernel was changed and what it holds could not be read back, or is not what was wanted: install() again.
  [[nodiscard]] bool uncertain() const { return uncertain_; }
  // What the table holds is not known to be ours: the next install() starts from what is there.
  void distrust() { installed_.reset(), uncertain_ = true; }
  // As the kernel lists it now, and every other table: rules, and the elements of ours (empty: there is no such table).
  // By a socket of its own.
  struct Listed {
    std::string rules;
    std::vector<firewall::ListedSet> sets;
  };
  [[nodiscard]] static os::OsResult<Listed> listed();
  // A listing of what was installed takes some tenths of a second at most; of thousands of facilities seconds, while
  // orders wait.
  [[nodiscard]] bool quick_to_list() const;
  // So many elements that a listing takes longer than an order may wait.
  [[nodiscard]] static bool is_long(std::size_t elements);
  [[nodiscard]] static std::size_t elements_of(const firewall::RuleSet& rules);
  [[nodiscard]] std::size_t elements() const;  // of what was last installed
  // Why a long table could not be read back so far; empty: nothing was in the way. It is tried again.
  [[nodiscard]] const std::string& unread() const { return unread_; }
  // What differs from what was last installed, as far as a listing tells; nothing is changed.
  [[nodiscard]] os::OsResult<std::vector<std::string>> differences();
  // Packets refused so far, by reason.
  [[nodiscard]] static os::OsResult<std::vector<os::NftablesCounter>> refusals() {
    return os::NftablesTable::counters();
  }
  [[nodiscard]] os::NftablesTable::Protection protection() const { return table_.protection(); }

 private:
  NetdRules(os::NftablesTable table, Differences read) : table_(std::move(table)), read_(std::move(read)) {}
  [[nodiscard]] os::OsResult<void> be_there();
  [[nodiscard]] os::OsResult<std::vector<std::string>> differences_to(const firewall::RuleSet& wanted);
  [[nodiscard]] os::OsResult<firewall::Listing> names();
  [[nodiscard]] os::OsResult<void> replace_ahead(const firewall::RuleSet& wanted);
  [[nodiscard]] os::OsResult<void> replace_table(const firewall::RuleSet& wanted);
  [[nodiscard]] static bool has_others(const firewall::Listing& present, const firewall::RuleSet& wanted);
  [[nodiscard]] os::OsResult<void> leave_unread(firewall::RuleSet wanted);
  [[nodiscard]] os::OsResult<void> change_to(const firewall::RuleSet& wanted);
  [[nodiscard]] os::OsResult<void> wake();
  enum class Elements : std::uint8_t { kInOne, kAhead };  // one transaction with the rules, or one before them
  [[nodiscard]] os::OsResult<void> replace_with(const firewall::RuleSet& wanted, Elements elements);

  [[nodiscard]] os::OsResult<void> read_back(const firewall::RuleSet& wanted);
  void read_back_beside();
  void look_anew();
  void look_later(const std::string& why);

  os::NftablesTable table_;
  Differences read_;
  std::optional<firewall::RuleSet> installed_;  // none: the content is not known to be ours
  bool uncertain_ = false;
  bool unconfirmed_ = false;
  os::ForkedWorker reader_;  // of the kernel's listing, for installed_
  config::value::Instant look_at_{};
  int unread_times_ = 0;
  std::string unread_;
};

}  // namespace gateway::daemon
