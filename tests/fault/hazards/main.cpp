// SPDX-License-Identifier: MIT
#define DOCTEST_CONFIG_IMPLEMENT
#include "support/report.hpp"

int main(int count, char** arguments) { return support::run_and_report(count, arguments); }
