#include "history.h"

#include <sqlite3.h>

#include <memory>
#include <mutex>
#include <stdexcept>

using namespace plait;

using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

static Statement prepare(sqlite3* database, const char* text) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, text, -1, &statement, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string("history: ") + sqlite3_errmsg(database));
  }
  return {statement, &sqlite3_finalize};
}

static void bind(const Statement& statement, int place, const std::string& text) {
  sqlite3_bind_text(statement.get(), place, text.c_str(), int(text.size()), SQLITE_TRANSIENT);
}

History::History(const std::string& file) {
  offload(thread_, [&] {
    if (sqlite3_open(file.c_str(), &database_) != SQLITE_OK) {
      throw std::runtime_error("history: cannot open " + file);
    }
    execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE IF NOT EXISTS said (room TEXT, line TEXT);"
        "CREATE INDEX IF NOT EXISTS by_room ON said (room)");
  });
  writer_ = spawn([this] {
    for (;;) {
      isPending_.wait();
      isPending_.clear();
      flush();
    }
  });
}

History::~History() {
  const CancelShield shield;
  writer_.kill();
  flush();
  offload(thread_, [this] { sqlite3_close(database_); });
}

void History::add(std::string room, std::string line) {
  pending_.emplace_back(std::move(room), std::move(line));
  isPending_.set();
}

std::deque<std::string> History::recent(const std::string& room, std::size_t count) {
  flush();
  return offload(thread_, [&] {
    const Statement select =
        prepare(database_, "SELECT line FROM said WHERE room = ?1 ORDER BY rowid DESC LIMIT ?2");
    bind(select, 1, room);
    sqlite3_bind_int64(select.get(), 2, sqlite3_int64(count));
    std::deque<std::string> lines;
    while (sqlite3_step(select.get()) == SQLITE_ROW) {
      lines.emplace_front(reinterpret_cast<const char*>(sqlite3_column_text(select.get(), 0)));
    }
    return lines;
  });
}

void History::flush() {
  const std::lock_guard lock(turn_);
  const auto lines = std::exchange(pending_, {});
  if (!lines.empty()) offload(thread_, [&] { insert(lines); });
}

void History::insert(const std::vector<std::pair<std::string, std::string>>& lines) {
  execute("BEGIN");
  const Statement add = prepare(database_, "INSERT INTO said VALUES (?1, ?2)");
  for (const auto& [room, line] : lines) {
    bind(add, 1, room);
    bind(add, 2, line);
    sqlite3_step(add.get());
    sqlite3_reset(add.get());
  }
  execute("COMMIT");
}

void History::execute(const char* statement) {
  if (sqlite3_exec(database_, statement, nullptr, nullptr, nullptr) == SQLITE_OK) return;
  throw std::runtime_error(std::string("history: ") + sqlite3_errmsg(database_));
}
