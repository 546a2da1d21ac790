// What file reads cost through the ring, beside plain preadv(2) in the same program: a file of 64
// MiB that is cached, so that it is the way there that is measured and not a disk.
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "micro/report.h"
#include "plait/directory.h"
#include "plait/greenlet.h"
#include "plait/run.h"

using namespace plait;

namespace {

constexpr std::size_t kFileBytes = 64 << 20;
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr long kReads = 200'000;
constexpr long kPasses = 10;

// Where the next read is, the same for all that are compared.
class Places final {
 public:
  explicit Places(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() noexcept {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % (kFileBytes / kPageBytes) * kPageBytes;
  }

 private:
  std::uint64_t state_;
};

void require(bool isTrue) {
  if (!isTrue) std::abort();
}

void plainReads(const os::File& file) {
  report("file_read_4k_preadv", nanosecondsEach(kReads, [&file](long count) {
           std::vector<std::byte> page(kPageBytes);
           Places places(1);
           for (long i = 0; i < count; ++i) {
             const iovec piece{page.data(), page.size()};
             const auto at = static_cast<off_t>(places.next());
             require(::preadv(file.descriptor(), &piece, 1, at) == kPageBytes);
           }
         }));
}

void fiberReads(const char* name, os::File& file, long fibers) {
  report(name, nanosecondsEach(kReads, [&file, fibers](long count) {
           std::vector<AnyGreenlet> all;
           for (long i = 0; i < fibers; ++i) {
             all.push_back(spawn([&file, i, each = count / fibers] {
               std::vector<std::byte> page(kPageBytes);
               Places places(static_cast<std::uint64_t>(i + 1));
               for (long j = 0; j < each; ++j) {
                 require(file.readAt(places.next(), page) == kPageBytes);
               }
             }));
           }
           joinAllOrThrow(all);
         }));
}

void wholeReads(os::File& file) {
  constexpr long kPieces = kFileBytes / kPieceBytes;
  std::vector<std::byte> piece(kPieceBytes);
  report("file_read_1m_preadv", nanosecondsEach(kPasses * kPieces, [&](long count) {
           for (long i = 0; i < count; ++i) {
             const iovec into{piece.data(), piece.size()};
             const auto at = static_cast<off_t>(i % kPieces) * static_cast<off_t>(kPieceBytes);
             require(::preadv(file.descriptor(), &into, 1, at) == kPieceBytes);
           }
         }));
  report("file_read_1m_ring", nanosecondsEach(kPasses * kPieces, [&](long count) {
           for (long i = 0; i < count; ++i) {
             const auto at = static_cast<std::uint64_t>(i % kPieces) * kPieceBytes;
             require(file.readAt(at, piece) == kPieceBytes);
           }
         }));
}

void smallCalls(os::File& file, const std::string& path) {
  report("file_open_close", nanosecondsEach(50'000, [&path](long count) {
           for (long i = 0; i < count; ++i) os::File::open(path).close();
         }));
  report("file_status", nanosecondsEach(50'000, [&file](long count) {
           for (long i = 0; i < count; ++i) require(file.status().size == kFileBytes);
         }));
}

}  // namespace

int main() {
  return run([] {
    const os::TemporaryDirectory folder;
    const std::string path = folder.path() + "/file";
    os::writeFile(path, std::string(kFileBytes, 'x'));
    os::File file = os::File::open(path);
    plainReads(file);
    fiberReads("file_read_4k_1_fiber", file, 1);
    fiberReads("file_read_4k_64_fibers", file, 64);
    wholeReads(file);
    smallCalls(file, path);
  });
}
