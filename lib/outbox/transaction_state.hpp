// SPDX-License-Identifier: MIT
#pragma once

#include "store/writing.hpp"

#include <satchel/transaction.hpp>

#include <memory>
#include <utility>

namespace satchel {

struct Transaction::State {
  explicit State(std::unique_ptr<store::Writing> open) : writing{std::move(open)} {}
  std::unique_ptr<store::Writing> writing;
};

}  // namespace satchel
