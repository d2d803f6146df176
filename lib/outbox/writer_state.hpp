// SPDX-License-Identifier: MIT
#pragma once

#include "base/fork.hpp"
#include "event/hooks.hpp"
#include "store/ages.hpp"
#include "store/enqueue.hpp"
#include "store/relay_file.hpp"
#include "store/shared_file.hpp"
#include "store/statement.hpp"

#include <satchel/options.hpp>
#include <satchel/writer.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satchel {

struct Writer::Hold::State {
  explicit State(std::shared_ptr<store::SharedFile> shared) : file{std::move(shared)} {}
  ~State() {
    // In a forked child the holder is a thread of the parent, and so is the gate.
    if (holds && fork_generation() == born) file->gate.leave();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const unsigned born = fork_generation();
  const std::shared_ptr<store::SharedFile> file;
  const std::shared_ptr<const bool> token = std::make_shared<const bool>(true);  // lives as long as the hold
  bool holds = false;
};

/// One thread at a time, as the connection.
struct Writer::State {
  State(sqlite3* database, WriterOptions wanted);

  std::unique_ptr<Hold::State> enter_gate(const char* operation);
  bool in_transaction() const noexcept;
  MessageId insert_in_open_transaction(const Message& message);
  MessageId insert_in_own_transaction(const Message& message);

  // Constant after construction.
  const unsigned born = fork_generation();
  sqlite3* const database;
  const WriterOptions limits;
  const Options options;  // what the checks of messages need
  const std::shared_ptr<Clock> clock;
  const std::int64_t opened = store::to_ms(clock->now());
  std::string relay_path;
  std::shared_ptr<store::SharedFile> file;
  std::optional<store::RelayFile> in_use;  // keeps a salvage from moving the file away
  std::vector<std::string> notices;

  event::Hooks hooks{1};
  std::optional<std::int64_t> boot;  // once it is committed
  std::weak_ptr<const bool> held;    // the token of the last hold that `gate()` gave

 private:
  MessageId insert(const Message& message);
  void check_tables() const;
  void check_file() const;
  void examine();
  std::string ask(const char* pragma) const;
  std::int64_t boot_number();
  void note_durability();
  void commit();
  void roll_back() noexcept;

  std::optional<store::Enqueuer> enqueuer_;  // once the file is known
  store::Statement identity_;
  store::Statement find_boot_;
  store::Statement add_boot_;
  store::Statement relaxed_;
};

}  // namespace satchel
