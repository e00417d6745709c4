# Copyright 2026 The seqjax Authors
# SPDX-License-Identifier: Apache-2.0
"""What a run asks of the machine it runs on."""

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from seqjax.training.environment import take_huge_pages

print("begun", flush=True)
take_huge_pages()
print(os.environ["GLIBC_TUNABLES"], *sys.argv[1:])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
@pytest.mark.parametrize("own", [None, "glibc.malloc.hugetlb=0"])
def test_a_program_starts_anew_with_huge_pages_unless_told_otherwise(own):
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    environment |= {"GLIBC_TUNABLES": own} if own else {}
    command = [sys.executable, "-c", PROGRAM, "two words", "--more"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    begun = ["begun"] if own else ["begun", "begun"]
    assert output.splitlines() == [*begun, f"{own or 'glibc.malloc.hugetlb=1'} two words --more"]
