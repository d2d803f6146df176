// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/sink.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// A receiver that outlives the process: writes "<row> <attempts> <payload>" for each delivery to a file or a
/// named pipe, one write each, so that a kill -9 loses nothing of it. A delivery with the payload "poison"
/// kills the process, before any receipt of its batch goes out.
class JournalSink final : public satchel::Sink {
 public:
  JournalSink(const std::string& path, std::size_t capacity)
      : capacity_{capacity}, file_{open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)} {
    if (file_ == -1) throw std::runtime_error{"cannot open " + path};
  }
  ~JournalSink() override {
    if (file_ != -1) close(file_);
  }
  JournalSink(JournalSink&& other) noexcept
      : capacity_{other.capacity_}, file_{std::exchange(other.file_, -1)}, events_{other.events_} {}

  void start(satchel::SinkEvents& events) override { events_ = &events; }
  void resume() override { events_->up(); }
  void send(std::vector<satchel::Delivery> batch) override {
    std::vector<satchel::Receipt> receipts;
    for (const satchel::Delivery& delivery : batch) {
      if (delivery.payload == "poison") kill(getpid(), SIGKILL);
      const std::string line = std::to_string(delivery.id.row) + ' ' + std::to_string(delivery.attempts) +
                               ' ' + delivery.payload + '\n';
      if (write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
      receipts.emplace_back().claim = delivery.claim;
    }
    events_->receipts(std::move(receipts));
  }
  void reset() override { events_->down(satchel::down("reset")); }
  void stop(std::chrono::milliseconds) noexcept override {}
  std::size_t capacity() const noexcept override { return capacity_; }
  std::string name() const override { return "journal"; }

 private:
  std::size_t capacity_;
  int file_;
  satchel::SinkEvents* events_ = nullptr;
};
