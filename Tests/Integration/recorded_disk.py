"""What is on the disk of a server that runs with `fsync_recorder.c`: what a loss of power takes away."""

import os
import pathlib
import shutil
import struct
import subprocess


def compile_recorder(directory):
    """The recorder as a library; None without a compiler."""
    return compile_library("fsync_recorder", directory)


def compile_library(name, directory):
    """A library of a C file that lies here, to be preloaded; None without a compiler."""
    source = pathlib.Path(__file__).parent / f"{name}.c"
    library = pathlib.Path(directory) / f"{name}.so"
    for compiler in ["cc", "clang", "gcc"]:
        try:
            subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source],
                           check=True, capture_output=True)
            return library
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


class RecordedDisk:
    """The folders of a server's directory, and the notes beside them."""

    FOLDERS = ["appendonlydir", "flushed"]

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.notes = self.directory / "notes"
        self.grave = self.notes / "grave"
        self.grave.mkdir(parents=True, exist_ok=True)
        # Names that a loss of power undid, and bytes that it took.
        self.undone = 0
        self.lost = dict.fromkeys(self.FOLDERS, 0)

    def lose_power(self, strict):
        """Takes away what no sync brought to the disk.

        `strict`: names too, when their directory was not synced: new files are gone, files that were
        removed or replaced are back. Otherwise every change of a directory was written by itself.
        """
        known = self._names(self.directory) if strict else None
        for name in self.FOLDERS:
            folder = self.directory / name
            if not folder.exists():
                continue
            if strict and name not in known:
                self.undone += 1
                shutil.rmtree(folder)
                continue
            if strict:
                self._restore_names(folder)
            for path in folder.iterdir():
                self.lost[name] += self._cut(path)
        self._begin_anew()

    def _names(self, folder):
        """Names in a directory as of its last sync, and the inodes behind them."""
        note = self.notes / f"d{folder.stat().st_ino}"
        if not note.exists():
            return {}
        lines = [line.split(" ", 1) for line in note.read_text().splitlines()]
        return {name: int(inode) for inode, name in lines}

    def _restore_names(self, folder):
        durable = self._names(folder)
        current = {path.name: path.stat().st_ino for path in folder.iterdir()}
        if durable == current:
            return
        self.undone += len(durable.items() ^ current.items())
        places = {path.stat().st_ino: path for path in [*folder.iterdir(), *self.grave.iterdir()]}
        # All get another name first: they may trade names.
        for name, inode in durable.items():
            os.link(places[inode], self.notes / f"back-{name}")
        for path in folder.iterdir():
            path.unlink()
        for name in durable:
            os.rename(self.notes / f"back-{name}", folder / name)

    def _cut(self, path):
        status = path.stat()
        note = self.notes / f"i{status.st_ino}"
        # Empty: the process was killed before its first word.
        size = min(int(note.read_text() or 0), status.st_size) if note.exists() else 0
        uncovered = self._uncover(path, status.st_ino)
        if size < status.st_size:
            os.truncate(path, size)
        return status.st_size - size + uncovered

    def _uncover(self, path, inode):
        """Brings back what lay under bytes that were written over since the last sync; how many."""
        note = self.notes / f"u{inode}"
        if not note.exists():
            return 0
        records, text = [], note.read_bytes()
        while len(text) >= 16:
            offset, count = struct.unpack("qq", text[:16])
            # Half a note: the process was killed before it wrote over anything.
            if len(text) < 16 + count:
                break
            records.append((offset, text[16:16 + count]))
            text = text[16 + count:]
        with open(path, "r+b") as file:
            for offset, under in reversed(records):
                file.seek(offset)
                file.write(under)
        return sum(len(under) for _, under in records)

    def _begin_anew(self):
        """What is there now is on the disk."""
        for path in self.grave.iterdir():
            path.unlink()
        for path in self.notes.iterdir():
            if path != self.grave:
                path.unlink()
        folders = [self.directory] + [
            self.directory / name for name in self.FOLDERS if (self.directory / name).exists()]
        for folder in folders:
            lines = []
            for path in folder.iterdir():
                status = path.stat()
                lines.append(f"{status.st_ino} {path.name}\n")
                if path.is_file():
                    (self.notes / f"i{status.st_ino}").write_text(f"{status.st_size:020}\n")
            (self.notes / f"d{folder.stat().st_ino}").write_text("".join(lines))
