"""A console in a process of its own, as `embargo console` serves it, with an auditor signed in; until stdin closes.

python -m tests.bench.console_server DIRECTORY LOG NOW      prints PORT COOKIE=VALUE
"""

import sys
import threading
from datetime import datetime
from pathlib import Path


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it
    from console.signed_in import a_console, signed_in
    from embargo.console.access.rights import Role
    from embargo.console.server import Server
    from embargo.priority import give_way

    directory, log, moment = Path(sys.argv[1]), Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
    give_way()  # as `embargo console` does
    directory.mkdir(parents=True, exist_ok=True)
    app = a_console(directory, log=log, now=lambda: moment)
    server = Server(app, ("127.0.0.1", 0))
    server.prepare()
    name = str(app.config["SESSION_COOKIE_NAME"])
    cookie = signed_in(app, Role.AUDITOR).get_cookie(name)
    assert cookie is not None
    print(server.bind_addr[1], f"{name}={cookie.value}", flush=True)
    threading.Thread(target=server.run, daemon=True).start()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
