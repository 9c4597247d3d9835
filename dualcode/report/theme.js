(() => {
  let kept = null;
  try { kept = localStorage.getItem("dualcode-theme"); } catch { /* a browser may forbid storage to file:// */ }
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
})();
