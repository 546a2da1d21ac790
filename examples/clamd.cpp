// Asks a virus scanner (clamd, INSTREAM) about files, as straight-line code on a fiber.
//
//   clamd ENDPOINT FILE...
#include <fstream>
#include <iostream>

#include <plait/plait.h>

using namespace plait;

// Chunks with their length before them; one of no length ends the stream.
void sendChunk(net::Stream& scanner, std::string_view chunk) {
  std::string framed;
  for (const int shift : {24, 16, 8, 0}) framed += static_cast<char>(chunk.size() >> shift & 0xff);
  scanner.writeAll(framed.append(chunk));
}

std::string scan(const std::string& endpoint, const std::string& path) {
  net::SocketStream connection = net::connect(endpoint);
  net::BufferedStream scanner(connection);
  scanner.writeAll(std::string_view("zINSTREAM\0", 10));
  std::ifstream file(path, std::ios::binary);
  std::string piece(8192, '\0');
  while (offload([&] { return file.read(piece.data(), 8192).gcount(); }) > 0) {
    sendChunk(scanner, std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
  }
  sendChunk(scanner, "");
  return scanner.readUntil(std::string_view("\0", 1)).value_or("no answer");
}

int main(int argc, char** argv) {
  return run([&] {
    const std::vector<std::string> files(argv + 2, argv + argc);
    Pool pool(8);  // scans at once
    const auto scanOne = [&](const std::string& path) { return scan(argv[1], path); };
    const std::vector<std::string> verdicts = pool.map(files, scanOne);
    for (std::size_t i = 0; i < files.size(); ++i) {
      std::cout << files[i] << ": " << verdicts[i] << std::endl;
    }
  });
}
