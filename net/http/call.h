// A request from its first connection to the head of the answer that counts: with the redirects and
// retries between them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client_exchange.h"
#include "dial.h"
#include "response_state.h"

namespace plait::http::detail {

class Call final {
 public:
  Call(std::shared_ptr<SessionState> session, std::string_view method, std::string_view url,
       RequestOptions options);

  // Once. May switch. Throws: as Session::request.
  std::unique_ptr<ResponseState> run();

 private:
  std::string requestText(const ClientRoute& route) const;
  std::unique_ptr<ClientExchange> exchange(Head& into);
  void keepCookies(const Fields& fields);
  bool isRedirect(const Head& head) const;
  void follow(const Head& head);
  [[noreturn]] void refuse(const std::string& why) const;

  std::shared_ptr<SessionState> session_;
  std::string method_;
  Url url_;
  Fields fields_;
  std::optional<Credentials> credentials_;
  std::shared_ptr<const ClientBody> body_;  // shared with the fiber that sends it
  int redirectsMax_;
  bool decompress_;
  Phases phases_;
  Visit visit_;
  std::vector<Url> history_;
};

}  // namespace plait::http::detail
