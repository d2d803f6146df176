// SPDX-License-Identifier: MIT
#include "store/table_copy.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace satchel::store {
namespace {

// Looks into unreadable stretches of one table: each damaged page costs some, and a table full of them has to
// come to an end.
constexpr int kProbes = 20'000;
constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();

struct Finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, Finalize>;

std::string quoted(std::string_view name) {
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? "\"\"" : std::string{c};
  return text + '"';
}

/// Empty when SQLite cannot compile it, for example because the schema is damaged.
Prepared prepare(sqlite3* database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr);
  return Prepared{statement};
}

std::string text_of(sqlite3_stmt* row, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
  return text == nullptr ? std::string{} : std::string{text};
}

/// What a table looks like, read from the new file: there the schema is sound.
struct Shape {
  std::vector<std::string> columns;  ///< those that can be written
  std::vector<std::string> key;      ///< of the primary key, in its order
  bool generated = false;            ///< there are others
  std::string row_id;                ///< a name of the row id that no column has; empty: there is none
};

Shape shape_of(sqlite3* database, const std::string& table) {
  Shape shape;
  std::vector<std::string> all;
  std::vector<std::pair<int, std::string>> key;
  const Prepared columns = prepare(database, "PRAGMA table_xinfo(" + quoted(table) + ")");
  while (columns && sqlite3_step(columns.get()) == SQLITE_ROW) {
    const std::string name = text_of(columns.get(), 1);
    all.push_back(name);
    const int place = sqlite3_column_int(columns.get(), 5);
    if (place > 0) key.emplace_back(place, name);
    // The others are generated.
    if (sqlite3_column_int(columns.get(), 6) == 0)
      shape.columns.push_back(quoted(name));
    else
      shape.generated = true;
  }
  std::sort(key.begin(), key.end());
  for (const auto& [place, name] : key) shape.key.push_back(quoted(name));
  for (const char* name : {"_rowid_", "rowid", "oid"}) {
    const bool taken = std::any_of(all.begin(), all.end(), [name](const std::string& column) {
      return sqlite3_stricmp(column.c_str(), name) == 0;
    });
    if (taken) continue;
    // A table WITHOUT ROWID does not know the name.
    if (prepare(database, fmt::format("SELECT {} FROM {}", name, quoted(table)))) {
      shape.row_id = name;
      return shape;
    }
  }
  return shape;
}

/// Copies one table.
class Copy {
 public:
  Copy(sqlite3* to, const std::string& table, sqlite3* from, const std::string& source)
      : to_{to}, from_{from}, shape_{shape_of(to, table)}, source_{quoted(source)} {
    copy_.table.name = source;
    const bool by_row = !shape_.row_id.empty();
    columns_ = fmt::format("{}{}", by_row ? shape_.row_id + ", " : "", fmt::join(shape_.columns, ", "));
    const std::size_t width = shape_.columns.size() + (by_row ? 1 : 0);
    // By place and not by name: the old definition may be damaged too.
    read_ = shape_.generated ? columns_ : (by_row ? shape_.row_id + ", *" : "*");
    insert_ = prepare(to, fmt::format("INSERT OR IGNORE INTO {}({}) VALUES ({})", quoted(table), columns_,
                                      fmt::join(std::vector<std::string>(width, "?"), ", ")));
    if (!insert_) throw SQLite::Exception{to};
  }

  TableCopy run() {
    if (shape_.row_id.empty()) {
      copy_without_row_ids();
    } else {
      copy_by_row_id();
    }
    return std::move(copy_);
  }

 private:
  /// The rows with an id between the two, from below or from above. Returns the last id that was read, or the
  /// bound where it began when there was none; `whole`: it came to the end of the stretch.
  std::int64_t walk(Stretch stretch, bool up, bool& whole) {
    whole = false;
    Prepared& rows = up ? rising_ : falling_;
    if (!rows) {
      rows = prepare(from_, fmt::format("SELECT {0} FROM {1} WHERE {2} >= ?1 AND {2} <= ?2 ORDER BY {2} {3}",
                                        read_, source_, shape_.row_id, up ? "ASC" : "DESC"));
      if (!rows) {
        trouble(sqlite3_errmsg(from_));
        return up ? stretch.after : stretch.before;
      }
    }
    // Inclusive bounds reach the two ends of the range, which a row may have.
    sqlite3_bind_int64(rows.get(), 1, stretch.after == kFirst ? kFirst : stretch.after + 1);
    sqlite3_bind_int64(rows.get(), 2, stretch.before == kLast ? kLast : stretch.before - 1);
    std::int64_t last = up ? stretch.after : stretch.before;
    bool any = false;
    int result = SQLITE_OK;
    while ((result = sqlite3_step(rows.get())) == SQLITE_ROW) {
      const std::int64_t id = sqlite3_column_int64(rows.get(), 0);
      // Damaged pages may lead in circles, or elsewhere.
      if (any && (up ? id <= last : id >= last)) break;
      any = true;
      last = id;
      take(rows.get());
    }
    whole = result == SQLITE_DONE;
    if (!whole) trouble(result == SQLITE_ROW ? "the rows are out of order" : sqlite3_errmsg(from_));
    sqlite3_reset(rows.get());
    return last;
  }

  void copy_by_row_id() {
    bool whole = false;
    const std::int64_t low = walk({kFirst, kLast}, true, whole);
    if (whole) return;
    const std::int64_t high = walk({low, kLast}, false, whole);
    if (whole) return;
    copy_.end_unread = high == kLast;
    // Not the rows but the file or its schema cannot be read, here as little as at any other row.
    if (!rising_ && !falling_) return;
    std::multimap<std::uint64_t, Stretch> unread;
    for (const Stretch& stretch : pieces(low, high)) unread.emplace(distance(stretch), stretch);
    for (int probes = kProbes; !unread.empty() && probes > 0; --probes) {
      // The shortest in turns with the longest: ids are close together in one table and far apart in another.
      const auto place = probes % 2 == 0 ? unread.begin() : std::prev(unread.end());
      const Stretch stretch = place->second;
      unread.erase(place);
      probe(stretch, unread);
    }
    for (const auto& [ids, stretch] : unread) copy_.unread_ids += open_ended(stretch) ? 0 : ids - 1;
  }

  /// Reads from the middle of the stretch upwards and downwards; what stays unread of it comes back.
  void probe(const Stretch& stretch, std::multimap<std::uint64_t, Stretch>& unread) {
    const std::int64_t middle = plus(stretch.after, distance(stretch) / 2);
    bool upper_whole = false;
    bool lower_whole = false;
    const std::int64_t top = walk({middle - 1, stretch.before}, true, upper_whole);
    const std::int64_t bottom = walk({stretch.after, middle}, false, lower_whole);
    const auto keep = [&](const Stretch& rest) {
      if (distance(rest) < 2) return;
      if (distance(rest) < 3) {
        ++copy_.unread_ids;
        return;
      }
      unread.emplace(distance(rest), rest);
    };
    // The middle itself was tried on the way up.
    if (!upper_whole) {
      if (top < middle) ++copy_.unread_ids;
      keep({std::max(top, middle), stretch.before});
    }
    if (!lower_whole) keep({stretch.after, bottom});
  }

  /// A stretch with a known end on one side alone, cut at distances from there that double: a half of it
  /// would be far beyond every row.
  static std::vector<Stretch> pieces(std::int64_t low, std::int64_t high) {
    if (low == kFirst && high == kLast) {
      std::vector<Stretch> all = pieces(kFirst, 0);
      for (const Stretch& stretch : pieces(-1, kLast)) all.push_back(stretch);
      return all;
    }
    std::vector<Stretch> cut;
    if (high == kLast) {
      std::int64_t from = low;
      for (std::uint64_t step = 64; step < distance({from, high}); step *= 2) {
        cut.push_back({from, plus(from, step)});
        from = plus(from, step - 1);
      }
      cut.push_back({from, high});
    } else if (low == kFirst) {
      std::int64_t to = high;
      for (std::uint64_t step = 64; step < distance({low, to}); step *= 2) {
        cut.push_back({plus(to, 0 - step), to});
        to = plus(to, 1 - step);
      }
      cut.push_back({low, to});
    } else {
      cut.push_back({low, high});
    }
    return cut;
  }

  /// As unsigned numbers, in which the distance of the two ends cannot overflow.
  static std::uint64_t distance(const Stretch& stretch) {
    return static_cast<std::uint64_t>(stretch.before) - static_cast<std::uint64_t>(stretch.after);
  }
  static std::int64_t plus(std::int64_t id, std::uint64_t step) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(id) + step);
  }
  static bool open_ended(const Stretch& stretch) {
    return stretch.after == kFirst || stretch.before == kLast || distance(stretch) > 1'000'000'000;
  }

  void copy_without_row_ids() {
    for (const char* order : {"ASC", "DESC"}) {
      std::string by;
      for (const std::string& column : shape_.key)
        by += fmt::format("{}{} {}", by.empty() ? "" : ", ", column, order);
      const Prepared rows = prepare(from_, fmt::format("SELECT {} FROM {} ORDER BY {}", read_, source_, by));
      int result = SQLITE_ERROR;
      // Circles end where the inserts find nothing new any more.
      while (rows && (result = sqlite3_step(rows.get())) == SQLITE_ROW) {
        if (!take(rows.get())) break;
      }
      if (result == SQLITE_DONE) return;
      trouble(sqlite3_errmsg(from_));
    }
  }

  /// Writes the row; false when it is there already or breaks a rule of the table.
  bool take(sqlite3_stmt* row) {
    const int columns = sqlite3_column_count(row);
    if (columns != sqlite3_bind_parameter_count(insert_.get())) {
      trouble("its definition is damaged");
      return false;
    }
    for (int i = 0; i < columns; ++i) sqlite3_bind_value(insert_.get(), i + 1, sqlite3_column_value(row, i));
    const int result = sqlite3_step(insert_.get());
    sqlite3_reset(insert_.get());
    sqlite3_clear_bindings(insert_.get());
    if (result != SQLITE_DONE) {
      // A strict table refuses a value of another type; everything else is the new file's trouble.
      if ((result & 0xff) != SQLITE_CONSTRAINT) throw SQLite::Exception{to_, result};
      trouble("a row breaks the rules of its table");
      return false;
    }
    if (sqlite3_changes(to_) == 0) {
      trouble("a row is there twice or breaks the rules of its table");
      return false;
    }
    ++copy_.table.rows;
    return true;
  }

  void trouble(std::string problem) {
    copy_.table.whole = false;
    if (copy_.table.problem.empty()) copy_.table.problem = std::move(problem);
  }

  sqlite3* const to_;
  sqlite3* const from_;
  const Shape shape_;
  const std::string source_;
  std::string columns_;
  std::string read_;  ///< the same, to read
  Prepared insert_;
  Prepared rising_;
  Prepared falling_;
  TableCopy copy_;
};

}  // namespace

TableCopy copy_table(sqlite3* to, const std::string& table, sqlite3* from, const std::string& source) {
  return Copy{to, table, from, source}.run();
}

}  // namespace satchel::store
