#include <boost/json.hpp>

#include <string>

#include "plait/http_json.h"

namespace plait::http {

boost::json::value json(ClientResponse& response) {
  const std::string& text = response.body();
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::json::stream_parser parser({}, options);
  const std::size_t read = parser.write_some(text, error);
  if (!error && read < text.size()) error = boost::json::error::extra_data;
  if (!error) parser.finish(error);
  if (!error) return parser.release();
  throw HttpError(502, "the answer of " + response.url().toString() +
                           " is no JSON that can be read: " + error.message() + ", at byte " +
                           std::to_string(read));
}

boost::json::value json(ClientResponse&& response) { return json(response); }

ClientBody jsonBody(const boost::json::value& value) {
  return ClientBody(boost::json::serialize(value), "application/json");
}

}  // namespace plait::http
