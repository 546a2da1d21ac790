// Runs every input of the corpora through its target, without a fuzzer: corpus_test CORPUS. What a
// fuzzer has found once is found ever after [WS-23].

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz_targets.h"

namespace {

std::string contentOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::filesystem::path> filesIn(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& each : std::filesystem::directory_iterator(folder)) files.push_back(each.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: corpus_test CORPUS" << std::endl;
    return 2;
  }
  for (const plait::fuzz::Target& target : plait::fuzz::kTargets) {
    const std::vector<std::filesystem::path> files =
        filesIn(std::filesystem::path(argv[1]) / target.name);
    for (const std::filesystem::path& file : files) {
      // Said before: if it dies, this is the input.
      std::cout << target.name << "/" << file.filename().string() << std::endl;
      const std::string content = contentOf(file);
      target.run(plait::net::asBytes(content));
      // A prefix is an input as well.
      for (std::size_t size = 0; size < std::min<std::size_t>(content.size(), 200); ++size) {
        target.run(plait::net::asBytes(std::string_view(content).substr(0, size)));
      }
    }
    if (files.empty()) {
      std::cerr << "no input for " << target.name << std::endl;
      return 1;
    }
  }
}
