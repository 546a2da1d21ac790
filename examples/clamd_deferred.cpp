// Asks a virus scanner (clamd, INSTREAM) about files, with a Protocol and Deferreds.
//
//   clamd_deferred HOST PORT FILE...
#include <fstream>
#include <iostream>

#include <plait/interop.h>

using namespace plait;

class Scan : public Protocol {
 public:
  explicit Scan(const std::string& path) : file_(path, std::ios::binary) {}

  Deferred<std::string> verdict;

  void connectionMade() override {
    transport().write(std::string_view("zINSTREAM\0", 10));
    sender_.beginFileTransfer(file_, transport(), &Scan::chunk).addCallback([this](char) {
      transport().write(std::string_view("\0\0\0\0", 4));
    });
  }
  void dataReceived(std::string_view data) override {
    answer_.append(data);
    if (!answer_.ends_with('\0')) return;
    answer_.pop_back();
    transport().loseConnection();
    verdict.callback(answer_);
  }
  void connectionLost(const Failure& reason) override {
    if (!verdict.isCalled()) verdict.errback(reason);
  }

 private:
  // Its length before it, as the scanner wants it.
  static std::string chunk(std::string piece) {
    std::string framed;
    for (const int shift : {24, 16, 8, 0}) {
      framed += static_cast<char>(piece.size() >> shift & 0xff);
    }
    return framed + piece;
  }

  std::ifstream file_;
  FileSender sender_;
  std::string answer_;
};

int main(int argc, char** argv) {
  return react([&] {
    std::vector<Deferred<std::string>> verdicts;
    for (int i = 3; i < argc; ++i) {
      auto scan = std::make_shared<Scan>(argv[i]);
      connectTCP(argv[1], static_cast<std::uint16_t>(std::stoi(argv[2])),
                 std::make_shared<FunctionFactory>([scan] { return scan; }));
      verdicts.push_back(scan->verdict.addCallback(
          [path = std::string(argv[i])](const std::string& text) { return path + ": " + text; }));
    }
    return gatherResults(verdicts).addCallback([](const std::vector<std::string>& lines) {
      for (const std::string& line : lines) std::cout << line << std::endl;
    });
  });
}
