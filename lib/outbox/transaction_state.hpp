// SPDX-License-Identifier: MIT
#pragma once

#include "event/hooks.hpp"
#include "store/writing.hpp"

#include <satchel/aggregate.hpp>
#include <satchel/transaction.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace satchel {

/// Confined to the thread that began the transaction.
struct Transaction::State {
  /// Outlives the transaction while handlers of it are on the stack.
  struct Handling {
    std::size_t depth = 0;
    std::string failure;  // not empty: a handler threw, so nothing may be committed
  };

  struct Collected {
    std::shared_ptr<detail::RecordedEvents> recorded;
    /// So many from the first on were published inside this transaction.
    std::size_t published = 0;

    void forget_published() const noexcept {
      auto& events = recorded->events;
      for (std::size_t left = std::min(published, events.size()); left > 0; --left) events.pop_front();
    }
  };

  State(std::unique_ptr<store::Writing> open, std::shared_ptr<event::Hooks> outbox_hooks)
      : writing{std::move(open)}, hooks{std::move(outbox_hooks)} {}

  const std::unique_ptr<store::Writing> writing;
  const std::shared_ptr<event::Hooks> hooks;
  const std::shared_ptr<Handling> handling = std::make_shared<Handling>();
  std::vector<Collected> collected;
};

}  // namespace satchel
