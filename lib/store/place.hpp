// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace satchel::store {

/// Where a database file is, or is going to be.
struct Place {
  std::string path;  ///< absolute, symbolic links resolved, as SQLite names it
  std::string relay_path;
  bool exists = false;
};

/// Examines `path` without opening anything. Throws `OpenError`: missing directory, not a file, no
/// permission, read-only, hard-linked, or on a file system whose shared memory or locks cannot be relied on.
Place survey(const std::string& path);

/// The same for a copy that is to be made at `path`: the absolute path. It needs neither locks nor shared
/// memory, so that every file system will do that can be written.
std::string survey_copy(const std::string& path);

/// The name of a file system that cannot hold the file, by its statfs magic; empty: it can.
std::string unfit_file_system(std::int64_t magic);

/// Throws `OpenError` when the file at `path` has more than one name: -wal and -relay would not be found by
/// the other.
void refuse_hard_link(const std::string& path);

/// The path as a part of a URI.
std::string uri_path(const std::string& path);

/// Makes the directory entry of `path` survive a power cut.
void sync_directory(const std::string& path) noexcept;

/// Hash of the machine id of the device, which the file `machine_id` holds, and `device_id`: differs between
/// a device and its clone where one of them does. Without the file `device_id` alone counts.
std::int64_t machine_hash(const std::string& device_id, const std::string& machine_id = "/etc/machine-id");

/// What deserves attention about an SQLite of this version, and what satchel does about it.
std::vector<std::string> notices_about(int sqlite_version);

}  // namespace satchel::store
