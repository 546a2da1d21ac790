#include "child_plan.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>

#include "plait/detail/raw.h"

namespace plait::os::detail {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";
constexpr std::size_t kDescriptionMax = 80;  // bytes
constexpr rlim_t kDescriptorsMax = 1 << 20;  // looked at where close_range(2) is missing

void refuseZeroBytes(const std::string& text) {
  if (text.find('\0') == std::string::npos) return;
  throw std::invalid_argument("os::Process: a zero byte in '" + text + "'");
}

bool isOf(std::string_view name, std::string_view variable) noexcept {
  return variable.starts_with(name) && variable.substr(name.size()).starts_with('=');
}

std::vector<char*> pointersTo(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& each : texts) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  return pointers;
}

const char* describeStep(StartStep step) noexcept {
  switch (step) {
    case StartStep::none:
      return ": cannot make a process";
    case StartStep::endWithParent:
      return ": cannot tie it to its parent";
    case StartStep::session:
      return ": cannot make a session";
    case StartStep::group:
      return ": cannot make a process group";
    case StartStep::redirect:
      return ": cannot redirect a standard stream";
    case StartStep::closeOthers:
      return ": cannot close other descriptors";
    case StartStep::keep:
      return ": cannot keep one of the descriptors it shall have";
    case StartStep::directory:
    case StartStep::execute:
      break;
  }
  return "";
}

}  // namespace

std::string describeCommand(const std::vector<std::string>& arguments) {
  std::string text;
  for (const std::string& each : arguments) text += (text.empty() ? "" : " ") + each;
  if (text.size() <= kDescriptionMax) return text;
  text.resize(kDescriptionMax);
  return text + "...";
}

ChildPlan::ChildPlan(std::vector<std::string> arguments, const ProcessOptions& options)
    : arguments_(std::move(arguments)), kept_(options.descriptors), directory_(options.directory) {
  if (arguments_.empty()) throw std::invalid_argument("os::Process::start: no arguments");
  for (const std::string& each : arguments_) refuseZeroBytes(each);
  refuseZeroBytes(directory_);
  makeEnvironment(options);
  findPrograms();
  argumentPointers_ = pointersTo(arguments_);
  environmentPointers_ = pointersTo(environment_);
  programPointers_ = pointersTo(programs_);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);

  orders.arguments = argumentPointers_.data();
  orders.environment = environmentPointers_.data();
  orders.programs = programPointers_.data();
  orders.directory = directory_.empty() ? nullptr : directory_.c_str();
  orders.kept = kept_.data();
  orders.keptCount = kept_.size();
  orders.descriptorsMax = static_cast<int>(std::min(limit.rlim_cur, kDescriptorsMax));
  orders.parent = ::getpid();
  orders.newSession = options.newSession;
  orders.newGroup = options.newGroup;
  orders.endWithParent = options.endWithParent;
}

void ChildPlan::makeEnvironment(const ProcessOptions& options) {
  if (!options.clearEnvironment) {
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
      environment_.emplace_back(*each);
    }
  }
  for (const auto& [name, value] : options.environment) {
    if (name.empty() || name.find('=') != std::string::npos) {
      throw std::invalid_argument("os::Process: '" + name + "' is no name of a variable");
    }
    std::erase_if(environment_, [&name](const std::string& each) { return isOf(name, each); });
    if (!value) continue;
    environment_.push_back(name + "=" + *value);
    refuseZeroBytes(environment_.back());
  }
}

// In the order of PATH. The child's own: what it gets is what it would find itself.
void ChildPlan::findPrograms() {
  const std::string& name = arguments_.front();
  if (name.empty() || name.find('/') != std::string::npos) {
    programs_.push_back(name);
    return;
  }
  std::string_view path = kDefaultPath;
  for (const std::string& each : environment_) {
    if (isOf("PATH", each)) path = std::string_view(each).substr(std::string_view("PATH=").size());
  }
  for (;;) {
    const std::size_t end = path.find(':');
    const std::string_view folder = path.substr(0, end);
    programs_.push_back((folder.empty() ? std::string(".") : std::string(folder)) + "/" + name);
    if (end == std::string_view::npos) return;
    path.remove_prefix(end + 1);
  }
}

void ChildPlan::throwFailure(int reason) const {
  std::string tried = "starting '" + arguments_.front() + "'";
  tried += describeStep(orders.failed);
  if (orders.failed == StartStep::directory) {
    tried += ": cannot change to the directory '" + directory_ + "'";
  }
  throw IoError(reason, tried);
}

}  // namespace plait::os::detail
