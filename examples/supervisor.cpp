// A process supervisor: runs each COMMAND, prints its lines with its number before them, and starts
// it anew when it ends, after a delay that grows as long as it fails soon. SIGINT and SIGTERM stop
// all of them in order.
//
//   supervisor COMMAND...     for example: supervisor 'ping localhost' './server 8080'
#include <algorithm>
#include <csignal>
#include <iostream>
#include <string>

#include <plait/plait.h>
#include <plait/process.h>
#include <plait/signal_stream.h>

using namespace plait;

constexpr Duration kFirstDelay = 100ms;
constexpr Duration kLongestDelay = 10s;
constexpr Duration kLongEnough = 10s;  // who ran so long did not fail soon
constexpr Duration kLastWords = 1s;    // for lines after its end, if its children still write

void print(std::size_t number, const std::string& line) {
  std::cout << number << ": " << line << std::endl;
}

void forwardLines(std::size_t number, os::PipeStream& output) {
  net::BufferedStream lines(output);
  while (const auto line = lines.readLine()) print(number, *line);
}

// Until it ends, or this fiber is killed; then it is ended, too.
std::string runOnce(std::size_t number, const std::string& command) {
  os::ProcessOptions options;
  options.input = os::Redirect::null();
  options.output = os::Redirect::pipe();
  options.error = os::Redirect::toOutput();
  options.newGroup = true;  // Ctrl-C in our terminal is for us alone
  os::Process process = os::Process::start({"sh", "-c", command}, std::move(options));
  const auto lines = spawn(
      [number, output = std::move(process.output())]() mutable { forwardLines(number, output); });
  try {
    const os::ExitStatus status = process.wait();
    lines.join(kLastWords);
    return status.describe();
  } catch (const GreenletExit&) {
    const CancelShield shield;
    const os::ExitStatus status = process.terminate();
    lines.join(kLastWords);
    print(number, "stopped: " + status.describe());
    throw;
  }
}

void supervise(std::size_t number, const std::string& command) {
  Duration delay = kFirstDelay;
  for (;;) {
    const TimePoint begin = now();
    const std::string end = runOnce(number, command);
    if (now() - begin >= kLongEnough) delay = kFirstDelay;
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(delay);
    print(number, end + ", again in " + std::to_string(wait.count()) + " ms");
    sleep(delay);
    delay = std::min(2 * delay, kLongestDelay);
  }
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: supervisor COMMAND...\n";
    return 2;
  }
  return run([argc, argv] {
    os::SignalStream signals{SIGINT, SIGTERM};
    Group commands;
    for (int i = 1; i < argc; ++i) {
      commands.spawn(
          [i, command = std::string(argv[i])] { supervise(static_cast<std::size_t>(i), command); });
    }
    signals.next();
    commands.kill();
  });
}
