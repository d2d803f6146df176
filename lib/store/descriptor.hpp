// SPDX-License-Identifier: MIT
#pragma once

namespace satchel::store {

/// A file descriptor that does not live on in a forked child: an atfork handler closes it there, so that a
/// child that outlives its parent keeps no lock alive. Closing in the child does not unlock in the parent.
/// Confined to one thread at a time.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  /// Takes over `fd`; -1 is none.
  explicit Descriptor(int fd) noexcept;
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;

  int get() const noexcept { return fd_; }
  bool valid() const noexcept { return fd_ >= 0; }
  void close() noexcept;

 private:
  friend struct Descriptors;

  int fd_ = -1;
  // Places in the list of all descriptors, which so needs no memory of its own.
  Descriptor* before_ = nullptr;
  Descriptor* after_ = nullptr;
  bool listed_ = false;
};

}  // namespace satchel::store
