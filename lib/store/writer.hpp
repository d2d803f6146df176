// SPDX-License-Identifier: MIT
#pragma once

#include "store/connection.hpp"
#include "store/enqueue.hpp"
#include "store/identity.hpp"
#include "store/remover.hpp"
#include "store/store.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace satchel::store {

/// The connection of the application's transactions with its statements. Used by the holder of the gate only.
struct Store::Writer {
  Writer(std::unique_ptr<Connection> opened, const std::string& path, const Options& options,
         const std::shared_ptr<SharedFile>& file, const RelayFile& relay_file)
      : connection{std::move(opened)},
        touch{connection->database(), kTouch},
        all_ranges{connection->database(), kAllRanges},
        is_there{connection->database(), "SELECT 1 FROM main.satchel_message WHERE id = ?1"},
        newest{connection->database(), "SELECT max(id) FROM main.satchel_message"},
        remover{connection->database()},
        // With a limit the INSERT can fill the file.
        enqueuer{{connection->handle(), path, &options, file, &relay_file, options.max_file_bytes > 0}} {}

  std::unique_ptr<Connection> connection;
  Statement touch;
  Statement all_ranges;
  Statement is_there;
  Statement newest;
  Remover remover;  ///< for what rides in a commit
  StatementCache statements;
  Enqueuer enqueuer;
  std::vector<IdentityRange> ranges;
  std::int64_t ranges_version = -1;
};

}  // namespace satchel::store
