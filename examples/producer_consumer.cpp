// A producer and three consumers around a bounded queue: the producer waits while it is full, the
// consumers wait while it is empty, and closing it ends them.
//
//   producer_consumer [COUNT]     default 1000
#include <algorithm>
#include <iostream>
#include <string>

#include <plait/plait.h>

using namespace plait;

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::stoi(argv[1]) : 1000;
  return run([count] {
    Queue<int> numbers(/*capacity*/ 16);
    std::size_t fullest = 0;
    long sum = 0;

    withTaskGroup([&](TaskGroup& group) {
      for (int consumer = 0; consumer < 3; ++consumer) {
        group.spawn([&] {
          while (const auto number = numbers.next()) {
            sum += *number;  // no lock: fibers of one loop switch only where they wait
            yield();
          }
        });
      }
      for (int number = 1; number <= count; ++number) {
        numbers.put(number);
        fullest = std::max(fullest, numbers.size());
      }
      numbers.close();
    });

    std::cout << "the sum of 1 to " << count << " is " << sum << "\n"
              << "never more than " << numbers.capacity() << " waited: " << std::boolalpha
              << (fullest <= numbers.capacity()) << std::endl;
  });
}
