// A guest book: a form, and a page made by a Mustache template. The book is lost with the process.
//
//   guestbook [ENDPOINT]     default tcp:127.0.0.1:8080
#include <chrono>
#include <csignal>
#include <deque>
#include <iostream>
#include <string>

#include <kainjow/mustache.hpp>

#include <plait/http_server.h>
#include <plait/plait.h>

using namespace plait;
namespace mustache = kainjow::mustache;

constexpr std::size_t kEntriesMax = 100;

constexpr auto kPage = R"(<!doctype html>
<title>Guest book</title>
<h1>Guest book</h1>
<form method="post">
  <input name="name" placeholder="your name" required> <input name="text" size="50" required>
  <button>Sign</button>
</form>
{{#entries}}<p><b>{{name}}</b>: {{text}}</p>
{{/entries}}{{^entries}}<p>Nobody has signed yet.</p>
{{/entries}})";

struct Entry {
  std::string name, text;
};

std::string render(const std::deque<Entry>& book) {
  mustache::data entries{mustache::data::type::list};
  for (const Entry& each : book) {
    mustache::data entry;
    entry.set("name", each.name);
    entry.set("text", each.text);
    entries << entry;
  }
  return mustache::mustache(kPage).render({"entries", entries});
}

int main(int argc, char** argv) {
  return run([&] {
    std::deque<Entry> book;
    http::App app;
    app.route("GET", "/", [&](http::Request&) { return http::Response::html(render(book)); });
    app.route("POST", "/", [&](http::Request& request) {
      Entry entry;
      for (const auto& [name, value] : request.form()) {
        if (name == "name") entry.name = value;
        if (name == "text") entry.text = value;
      }
      if (entry.name.empty()) throw http::HttpError(400, "a name is missing");
      book.push_front(entry);
      if (book.size() > kEntriesMax) book.pop_back();
      return http::Response::redirect("/", 303);
    });

    http::Server server(argc > 1 ? argv[1] : "tcp:127.0.0.1:8080", app);
    server.stopOn({SIGINT, SIGTERM});
    std::cout << "listening on " << server.address().toString() << std::endl;
    server.serve();
  });
}
