'use strict';
(() => {
  const input = document.getElementById('filter');
  if (!input) return;
  const shown = document.getElementById('shown');
  const all = Array.from(document.querySelectorAll('.failure, .test'), (node) => ({ node, text: node.textContent.toLowerCase() }));
  let due = 0;
  const apply = () => {
    const words = input.value.toLowerCase().split(' ').filter(Boolean);
    let count = 0;
    for (const { node, text } of all) {
      const fits = words.every((word) => text.includes(word));
      node.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = `${count} of ${all.length} rows`;
  };
  input.addEventListener('input', () => { clearTimeout(due); due = setTimeout(apply, 80); });
})();
