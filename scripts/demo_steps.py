"""The steps of scripts/demo, with the lab of tests/lab. Every step is checked: what is shown is what was seen."""
import json
import pathlib
import signal
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

import attacks as attack_list  # noqa: E402
import netns  # noqa: E402
from ipsec_peers import IpsecHospital  # noqa: E402
from netns import wait_for  # noqa: E402
from peers import Hospital  # noqa: E402
from scene import Scene  # noqa: E402
from topology import Lab, SERVICE4, ask, reaches  # noqa: E402

DRAWING = """
  hospital A (alpha) 10.1.0.0/24 ==tunnel==\\
                                            carrier network --- [ Sekisho ] --- data centre: karte (電子カルテ) 10.80.0.10
  hospital B (bravo) 10.2.0.0/24 ==tunnel==/
"""


class Demo:
    def __init__(self):
        self.failed = 0

    def step(self, english, japanese):
        print(f"\n-- {english}\n   {japanese}", flush=True)

    def show(self, good, text):
        self.failed += not good
        print(f"   {'OK ' if good else 'NOT AS IT MUST BE: '}{text}", flush=True)

    def walk(self, lab):
        if lab.a.protocol == "wireguard":
            self.step("The gateway starts; A connects with a WireGuard router (by exception), B with strongSwan, IKEv2/IPsec.",
                      "関所を起動し、病院 A は WireGuard(例外承認)、病院 B は IKEv2/IPsec(strongSwan)のルータで接続します。")
        else:
            self.step("The gateway starts; both hospitals connect with strongSwan routers, IKEv2/IPsec.",
                      "関所を起動し、病院 A と B は IKEv2/IPsec(strongSwan)のルータで接続します。")
        lab.start()
        shown = lab.gateway.cli("show", "tunnels").stdout.rstrip()
        print("   " + shown.replace("\n", "\n   "))
        self.show(shown.count("up") >= 2, "two tunnels are up")
        self.service(lab)
        self.detours(lab)
        self.records(lab)

    def service(self, lab):
        self.step("Hospital A and B read the service policy names.", "病院 A と B は、許可されたサービスを参照できます。")
        for hospital in lab.hospitals:
            answer = ask(hospital.pc, SERVICE4, path="/patient/1").strip()
            self.show("karte" in answer, f"{hospital.name}: http://{SERVICE4}/patient/1 -> {answer}")

    def detours(self, lab):
        self.step("A tries to reach B, the outside and the gateway by every road we know; every interface is watched.",
                  "A から B・外部・関所自身への到達を、あらゆる経路で試みます(経路の回り込み)。全インタフェースを監視します。")
        with Scene(lab) as scene:
            scene.show_capture_works()
            scene.show_service_works()
            tried = [attack for family in (4, 6) for attack in attack_list.attacks(family, lab.a, lab.b) if attack.through == "router"]
            scene.attack_through_router(tried)
            scene.settle()
            leaks = scene.leaks(tried)
            sent = sum(len(attack.packets) for attack in tried)
        self.show(not leaks, f"{len(tried)} detours, {sent} packets, {len(leaks)} came through")
        if lab.a.protocol == "ikev2":
            print("      (strongSwan itself sends only what it agreed to; with --wireguard A's router puts anything into its tunnel)")
        for leak in leaks:
            print(f"      {leak}")

    def records(self, lab):
        self.step("What went through and what was refused is on record.", "通信の開始・終了と、拒否した通信は、すべて記録されます。")
        wanted = ("flow.begin", "flow.end", "refused")
        reaches(lab.dc, lab.a.pc4, timeout=0.5)  # the data centre calls a hospital: no rule lets it

        def complete():
            lab.forget_ended_flows()
            found = lab.gateway.records()
            return all(any(record["kind"].startswith(kind) for record in found) for kind in wanted) and found
        try:
            found = wait_for("begin, end and refusal records", complete, 30)
        except AssertionError as error:
            return self.show(False, str(error))
        for kind in wanted:
            record = next(record for record in reversed(found) if record["kind"].startswith(kind))
            print(f"   {json.dumps(record, ensure_ascii=False)}")
        self.show(True, f"{len(found)} records in {lab.gateway.state}/records")


def stay(lab):
    sekisho = f"{lab.gateway.programs}/sekisho"
    where = f"--runtime {lab.gateway.runtime}"
    print(f"""
The lab stays up until Ctrl-C. In another terminal, as root:   Ctrl-C で終了します。別の端末で試せます:
  {sekisho} status {where}
  {sekisho} show tunnels {where}
  {sekisho} show flows --watch {where}
  ip netns exec {lab.a.pc.name} curl http://{SERVICE4}/          # the service answers
  ip netns exec {lab.a.pc.name} ping -c 3 {lab.b.pc4}            # hospital B does not
  ip netns exec {lab.gw.name} nft list table inet sekisho
  $EDITOR {lab.gateway.config_file} && {sekisho} reload {where}
  tail -f {lab.gateway.state}/records/*.jsonl
""", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main():
    once = "--once" in sys.argv[1:]
    began, demo = time.monotonic(), Demo()
    print(DRAWING)
    lab = None
    try:
        lab = Lab(kinds=(Hospital if "--wireguard" in sys.argv[1:] else IpsecHospital, IpsecHospital))
        demo.walk(lab)
        if not once:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            stay(lab)
    except (AssertionError, netns.LabError, OSError) as error:
        demo.show(False, str(error))
    except KeyboardInterrupt:
        pass
    finally:
        if lab:
            lab.close()
    print(f"\n{'every step went as it must' if not demo.failed else f'{demo.failed} steps did not go as they must'}"
          f" ({time.monotonic() - began:.0f} s)")
    return 1 if demo.failed else 0


sys.exit(main())
