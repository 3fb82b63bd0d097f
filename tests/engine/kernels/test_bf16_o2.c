#include "bf16_cases.h"
