// A stream with a buffer in each direction: reading by line, delimiter or count, and writing in
// little pieces that leave together. What was received and not yet asked for stays in it: once a
// stream is wrapped, read it through the wrapper only.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "plait/detail/occupancy.h"
#include "plait/mutex.h"
#include "plait/stream.h"

namespace plait::net {

inline constexpr std::size_t kLineMax = 65'536;         // bytes without the line's end
inline constexpr std::size_t kUntilMax = 1'048'576;     // bytes without the delimiter
inline constexpr std::size_t kExactlyMax = 16'777'216;  // bytes at once into a string
inline constexpr std::size_t kPeekMax = 65'536;
inline constexpr std::size_t kReadAheadBytes = 8'192;     // asked from the stream at once
inline constexpr std::size_t kWriteBufferBytes = 16'384;  // written and not yet sent

// One reader and any number of writers at a time, like every stream. A reading call that throws,
// for a kill, a timeout, a limit, an error or the end of the stream, has consumed nothing: what
// arrived stays in the buffer and can be read on, with a larger limit or passed over with
// skipUntil.
class BufferedStream final : public Stream {
 public:
  // `stream` outlives it and stays open when it dies.
  explicit BufferedStream(Stream& stream, std::size_t writeBufferBytes = kWriteBufferBytes);
  // Owns the stream.
  explicit BufferedStream(std::unique_ptr<Stream> stream,
                          std::size_t writeBufferBytes = kWriteBufferBytes);
  template <class S>
    requires(std::is_base_of_v<Stream, S> && !std::is_same_v<S, BufferedStream>)
  explicit BufferedStream(S&& stream, std::size_t writeBufferBytes = kWriteBufferBytes)
      : BufferedStream(std::make_unique<S>(std::forward<S>(stream)), writeBufferBytes) {}
  BufferedStream(const BufferedStream&) = delete;
  BufferedStream& operator=(const BufferedStream&) = delete;
  // Nobody may be parked in it. What was not flushed is dropped.
  ~BufferedStream() override;

  // The next line without its "\n" or "\r\n"; a last line may lack it. Nothing at the end of the
  // stream. May switch. Throws: LimitError for a line of more than `limit` bytes, and as readSome.
  std::optional<std::string> readLine(std::size_t limit = kLineMax);
  // What comes before `delimiter`, which is consumed too. Nothing if the stream ends before any
  // byte. May switch. Throws: LimitError for more than `limit` bytes, ConnectionClosed if the
  // stream ends before the delimiter, and as readSome.
  std::optional<std::string> readUntil(std::string_view delimiter, std::size_t limit = kUntilMax);
  // Fills `into`. May switch. Throws: ConnectionClosed if the stream ends before; and as readSome.
  void readExactly(MutableBytes into);
  // The next `count` bytes. Throws also: LimitError at once if `count` is above `limit`.
  std::string readExactly(std::size_t count, std::size_t limit = kExactlyMax);
  // Drops everything up to and with `delimiter`, in little memory. False if the stream ended
  // before. A kill leaves what was dropped until then dropped. May switch. Throws: as readSome.
  bool skipUntil(std::string_view delimiter);
  // Waits until `atLeast` bytes have arrived, or the end of the stream; shows all that have,
  // without consuming them. Good until the next read. May switch. Throws: LimitError at once for
  // more than kPeekMax, and as readSome.
  std::string_view peek(std::size_t atLeast = 1);

  using Stream::readSome;
  std::size_t readSome(MutableBytes into, std::error_code& error) override;

  // Puts `from` into the buffer; sends what is there before when it does not fit. Reading does not
  // flush. May switch. Throws: as writeAll.
  void write(Bytes from);
  void write(std::string_view text) { write(asBytes(text)); }
  // Sends what write() left in the buffer. If it was killed before it had sent anything, the bytes
  // are still there. May switch. Throws: as writeAll.
  void flush();

  // Sends what is in the buffer, and `from` with it.
  using Stream::writeAll;
  void writeAll(Bytes from, std::error_code& error) override;
  // Flushes before.
  void shutdownWrite() override;
  // Closes the stream below. What was not flushed is dropped.
  void close() override;
  bool isOpen() const noexcept override { return stream_->isOpen(); }
  std::string describe() const override { return stream_->describe(); }
  [[noreturn]] void fail(std::error_code code, const char* tried) const override;

  std::size_t bufferedToRead() const noexcept { return end_ - begin_; }
  std::size_t bufferedToWrite() const noexcept { return output_.size(); }

 private:
  class Reading;

  std::string_view received() const noexcept;  // and not yet consumed
  bool receive();                              // more; false at the end of the stream
  MutableBytes roomToReceive();
  std::string take(std::size_t count, std::size_t consumed);
  std::size_t takeInto(MutableBytes into) noexcept;
  void putBack(Bytes bytes);
  void send(std::error_code& error);
  void sendWith(Bytes more, std::error_code& error);

  std::unique_ptr<Stream> owned_;
  Stream* stream_;

  std::vector<std::byte> input_;
  std::size_t begin_ = 0;  // of what is in it
  std::size_t end_ = 0;
  bool reading_ = false;

  std::vector<std::byte> output_;
  std::size_t outputMax_;
  Mutex writeTurn_;
  detail::Occupancy inside_;
};

}  // namespace plait::net
