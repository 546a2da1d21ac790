-- What `load` prints at the end of a run, by wrk.
function done(summary, latency)
  local seconds = summary.duration / 1e6
  local errors = summary.errors
  print(string.format('{"requests": %d, "completed": %d, "seconds": %.6f, ' ..
                      '"requests_per_second": %.0f, "p50_us": %.2f, "p99_us": %.2f, ' ..
                      '"p999_us": %.2f, "errors": %d}',
                      summary.requests, summary.requests, seconds, summary.requests / seconds,
                      latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
                      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
